/** [440FX] 3.2.18: what a processor's loads and stores reach. */
import assert from "node:assert/strict";
import { Pam } from "../../../devices/pci/pam.js";
import { ProcessorMemory } from "../../../devices/pci/processor-memory.js";
import { gpa } from "../../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../../shared/memory.js";
import { VirtualMemory } from "../../../shared/virtual-memory.js";

const MIB = 1 << 20;
const PAGE = 4096;
const ROM_BYTES = 256 * 1024;
const LOW_ROM_BYTES = 128 * 1024;
const ROM_AT = 2 ** 32 - ROM_BYTES;

class Fixture {
  readonly rom = new SharedArrayBuffer(ROM_BYTES);
  /** Of every segment. */
  attributes = 0;
  /** As a machine with firmware has it: no memory behind video memory. */
  readonly ram: GuestMemory;
  readonly memory: ProcessorMemory;

  constructor() {
    const buffer = new SharedArrayBuffer(2 * MIB);
    new Uint8Array(buffer).fill(0x11);
    new Uint8Array(this.rom).fill(0x22);
    this.ram = new GuestMemory([
      new MemoryRegion(gpa(0xc_0000), 2 * MIB - 0xc_0000, buffer, 0xc_0000),
      new MemoryRegion(gpa(0), 0xa_0000, buffer),
    ]);
    const low = new MemoryRegion(gpa(MIB - LOW_ROM_BYTES), LOW_ROM_BYTES, this.rom, ROM_BYTES - LOW_ROM_BYTES);
    const high = new MemoryRegion(gpa(ROM_AT), ROM_BYTES, this.rom);
    this.memory = new ProcessorMemory(this.ram, { low, high }, () => this.attributes);
  }

  byte(at: number): number | undefined {
    const target = new Uint8Array(1);
    return this.memory.read(at, target) ? target[0] : undefined;
  }
}

describe("ProcessorMemory", () => {
  it("shows the ROM in the system BIOS's segments, and nothing in the others, after power-on", () => {
    const fixture = new Fixture();
    assert.deepEqual(
      [0x9_ffff, 0xa_0000, 0xc_0000, 0xd_ffff, 0xe_0000, 0xf_ffff, MIB].map((at) => fixture.byte(at)),
      [0x11, undefined, undefined, undefined, 0x22, 0x22, 0x11],
    );
  });

  it("shows RAM where a segment's reads go to it", () => {
    const fixture = new Fixture();
    fixture.attributes = Pam.read;
    assert.deepEqual([fixture.byte(0xc_0000), fixture.byte(0xf_0000)], [0x11, 0x11]);
    assert.equal(fixture.memory.write(0xf_0000, Uint8Array.of(1)), false);
    fixture.attributes = Pam.write;
    assert.equal(fixture.byte(0xf_0000), 0x22);
    assert.equal(fixture.memory.write(0xf_0000, Uint8Array.of(1)), true);
    fixture.attributes = Pam.read | Pam.write;
    assert.equal(fixture.byte(0xf_0000), 1);
  });

  it("has the whole ROM below 4 GiB, read-only", () => {
    const fixture = new Fixture();
    assert.deepEqual([fixture.byte(ROM_AT), fixture.byte(2 ** 32 - 1)], [0x22, 0x22]);
    assert.equal(fixture.memory.write(ROM_AT, Uint8Array.of(1)), false);
    assert.equal(fixture.memory.fill(ROM_AT, 4, 1), false);
  });

  it("copies over segments and the ends of RAM piece by piece, or not at all", () => {
    const fixture = new Fixture();
    const target = new Uint8Array(2 * PAGE);
    assert.equal(fixture.memory.read(MIB - PAGE, target), true);
    assert.deepEqual([target[0], target[PAGE]], [0x22, 0x11]);
    assert.equal(fixture.memory.read(0xa_0000 - PAGE, target), false);
    assert.equal(fixture.memory.write(MIB - PAGE, target), false);
  });

  it("leaves what devices reach as it is: RAM behind every segment", () => {
    const fixture = new Fixture();
    assert.equal(fixture.ram.write(0xf_0000, Uint8Array.of(7)), true);
    assert.equal(fixture.byte(0xf_0000), 0x22);
    assert.equal(fixture.ram.region(0xa_0000, 1), undefined);
  });

  it("fails a hypercall's store to ROM, not its load (H5)", () => {
    const fixture = new Fixture();
    const virtual = new VirtualMemory(fixture.memory, {
      load: (into) => {
        into.cr0 = 0;
      },
    });
    virtual.begin();
    assert.equal(virtual.u32(0, 0xf_0000), 0x2222_2222);
    assert.equal(virtual.writeU32(0, 0xf_0000, 1), false);
    assert.equal(virtual.u32(0, 0xb_8000), -1);
  });
});
