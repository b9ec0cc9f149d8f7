/**
 * Bootable CDs on a PC under Xen: GRUB's rescue CD, which knows no console but the BIOS's, and Debian's installer, whose
 * kernel and initrd GRUB reads from the CD.
 */
import { type BootCds, bootCds } from "../testbed/pc-cd.js";
import { type PcRun, shareDisk, startPc } from "../testbed/pc-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";

/** On a host that is busy with other things. One that has nothing else to do needs a tenth of it. */
const STEP_MS = 300_000;
const WHOLE_MS = 2_000_000;
const MEMORY_MIB = 512;
const GRUB_PROMPT = /grub> $/;
/** The installer's first dialogue; with little memory another one comes before. */
const INSTALLER_DIALOGUE = /Debian installer main menu|\[!!\] (Select a language|Low memory)/;

describe("A CD in the drive of a PC", function () {
  const booted = testbedOfSuite({ cpus: 1 });
  let cds: BootCds;

  before("makes the CDs", async function () {
    this.timeout(WHOLE_MS);
    cds = await bootCds(console.log);
  });

  async function start(cd: string): Promise<PcRun> {
    const { inside } = await shareDisk(booted.testbed, cd);
    return startPc(booted.testbed, { memoryMiB: MEMORY_MIB, options: ["--cdrom", inside] });
  }

  it("boots GRUB's rescue CD to a command line that reads the CD", async function () {
    this.timeout(WHOLE_MS);
    const pc = await start(cds.rescue);
    try {
      const { serial } = pc;
      await serial.expect(/SeaBIOS/, STEP_MS);
      await serial.expect(/for a command-line/, STEP_MS);
      serial.say("c");
      await serial.expect(GRUB_PROMPT, STEP_MS);
      serial.say("ls\r");
      await serial.expect(/\(cd\)/, STEP_MS);
      await serial.expect(GRUB_PROMPT, STEP_MS);
      serial.say("ls /boot/grub\r");
      await serial.expect(/grub\.cfg i386-pc\//, STEP_MS);
      await serial.expect(GRUB_PROMPT, STEP_MS);
    } finally {
      await pc[Symbol.asyncDispose]();
    }
  });

  it("boots Debian's installer to its first dialogue", async function () {
    this.timeout(WHOLE_MS);
    const pc = await start(cds.installer);
    try {
      const { serial } = pc;
      await serial.expect(/SeaBIOS/, STEP_MS);
      await serial.expect(/Linux version 6\./, STEP_MS);
      await serial.expect(/Hypervisor detected: Xen HVM/, STEP_MS);
      await serial.expect(INSTALLER_DIALOGUE, STEP_MS);
    } finally {
      await pc[Symbol.asyncDispose]();
    }
  });
});
