/** [PIIX4] Intel 82371AB, 290562-001, 7.2; [ACPI] ACPI 6.5, 4.8 */
import assert from "node:assert/strict";
import { port } from "../../shared/brand.js";
import { AcpiPm } from "../../devices/acpi-pm.js";
import {
  ManualClock,
  RecordedLine,
  assertDeviceTakesAnything,
  assertTakesAnything,
  driveRanges,
  runSteps,
  smallArena,
} from "./port-driver.js";
import type { PortStep } from "./port-driver.js";

class Board {
  readonly clock = new ManualClock();
  readonly sci = new RecordedLine();
  powerOffs = 0;
  readonly chip: AcpiPm;

  constructor(timerBits: 24 | 32 = 24) {
    const host = {
      nowNs: this.clock.nowNs,
      arm: this.clock.arm,
      sci: this.sci,
      powerOff: () => {
        this.powerOffs++;
      },
    };
    this.chip = new AcpiPm(smallArena(), host, timerBits);
    this.chip.reset();
  }

  run(...steps: readonly PortStep[]): void {
    const pm = { base: port(0xb000), length: 64, handler: this.chip.pmIo };
    runSteps(driveRanges([...this.chip.ports, pm]), steps);
  }

  /** Lets time pass up to the deadline and calls the chip. */
  expire(): void {
    this.clock.now = this.clock.deadline;
    this.chip.expire(this.clock.now);
  }
}

const ACPI_ON: PortStep = ["out", 0xb2, 1, 0xf1];

describe("AcpiPm", () => {
  it("turns ACPI on and off by the SMI command port", () => {
    new Board().run(
      ["in", 0xb004, 2, 0x0000],
      ACPI_ON,
      ["in", 0xb004, 2, 0x0001],
      ["in", 0xb2, 1, 0xf1],
      ["out", 0xb2, 1, 0xf0],
      ["in", 0xb004, 2, 0x0000],
    );
  });

  it("counts 3.579545 MHz in 24 bits", () => {
    const board = new Board();
    board.clock.now = 1e9;
    board.run(["in", 0xb008, 4, 3_579_545]);
    board.clock.now = 10e9;
    board.run(["in", 0xb008, 4, 35_795_450 % 0x100_0000]);
  });

  it("counts in 32 bits when built so", () => {
    const board = new Board(32);
    board.clock.now = 10e9;
    board.run(["in", 0xb008, 4, 35_795_450]);
  });

  it("gives the timer's bytes to narrow reads", () => {
    const board = new Board();
    board.clock.now = 1e9; // 0x369e99
    board.run(["in", 0xb008, 1, 0x99], ["in", 0xb009, 1, 0x9e], ["in", 0xb00a, 2, 0x0036]);
  });

  it("sets the timer's status when its top bit changes, and clears it by writing 1", () => {
    const board = new Board();
    board.clock.now = 2.4e9;
    board.run(["in", 0xb000, 2, 0x0001], ["out", 0xb000, 2, 0x0001], ["in", 0xb000, 2, 0x0000]);
    assert.equal(board.clock.deadline, Infinity);
  });

  it("interrupts when the timer's top bit changes", () => {
    const board = new Board();
    board.run(ACPI_ON, ["out", 0xb002, 2, 0x0001]);
    assert.equal(board.sci.level, 0);
    board.expire();
    assert.equal(board.sci.level, 1);
    assert.equal(board.clock.deadline, Infinity);
    board.run(["out", 0xb000, 2, 0x0001]);
    assert.equal(board.sci.level, 0);
    assert.ok(Math.abs(board.clock.deadline - board.clock.now - 2.343_484e9) < 1e5);
  });

  it("interrupts for the power button, until its status is cleared", () => {
    const board = new Board();
    board.run(ACPI_ON, ["out", 0xb002, 2, 0x0100]);
    board.chip.pressPowerButton();
    assert.equal(board.sci.level, 1);
    board.run(["in", 0xb000, 2, 0x0100], ["out", 0xb001, 1, 0x01], ["in", 0xb000, 2, 0x0000]);
    assert.equal(board.sci.level, 0);
  });

  it("keeps neighbouring status bits on a byte write", () => {
    const board = new Board();
    board.clock.now = 2.4e9;
    board.chip.pressPowerButton();
    board.run(["out", 0xb001, 1, 0x01], ["in", 0xb000, 2, 0x0001]);
  });

  it("stays quiet while ACPI is off", () => {
    const board = new Board();
    board.run(["out", 0xb002, 2, 0x0100]);
    board.chip.pressPowerButton();
    assert.equal(board.sci.level, 0);
    board.run(ACPI_ON);
    assert.equal(board.sci.level, 1);
  });

  it("powers off on SLP_EN with the type of S5, and forgets SLP_EN", () => {
    const board = new Board();
    board.run(ACPI_ON, ["out", 0xb004, 2, 0x2001], ["in", 0xb004, 2, 0x0001]);
    assert.equal(board.powerOffs, 1);
  });

  it("does nothing on a sleep type without SLP_EN, or on S3", () => {
    const board = new Board();
    board.run(ACPI_ON, ["out", 0xb004, 2, 0x1c01], ["in", 0xb004, 2, 0x1c01], ["out", 0xb004, 2, 0x2401]);
    assert.equal(board.powerOffs, 0);
  });

  it("interrupts for an enabled general-purpose event", () => {
    const board = new Board();
    board.run(ACPI_ON, ["out", 0xafe2, 1, 0x02]);
    board.chip.raiseGpe(1);
    assert.equal(board.sci.level, 1);
    board.run(["in", 0xafe0, 1, 0x02], ["out", 0xafe0, 1, 0x02], ["in", 0xafe0, 4, 0x0002_0000]);
    assert.equal(board.sci.level, 0);
  });

  it("reads as zero where nothing is modelled", () => {
    new Board().run(["out", 0xb014, 1, 0xff], ["in", 0xb014, 1, 0x00], ["in", 0xb03c, 4, 0x0000_0000]);
  });

  it("goes on where it was after save and restore", () => {
    const board = new Board();
    board.run(ACPI_ON, ["out", 0xb002, 2, 0x0100]);
    board.chip.pressPowerButton();
    const other = new Board();
    other.chip.restore(structuredClone(board.chip.save()));
    assert.equal(other.sci.level, 1);
  });

  it("takes any guest input (P7)", () => {
    const board = new Board();
    assertDeviceTakesAnything(board.chip.ports);
    assertTakesAnything(board.chip.pmIo, 64, () => {
      board.clock.now += 1e9;
      board.chip.expire(board.clock.now);
    });
  });
});
