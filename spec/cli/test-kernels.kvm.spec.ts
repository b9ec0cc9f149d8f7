/**
 * Test kernels as others write them, through the launcher: what they find, where their words come out, how they end.
 *
 * [PVH] xen.git docs/misc/pvh.pandoc; [MB] Multiboot Specification 0.6.96; [SCHED] public/sched.h, SHUTDOWN_*
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMPILED, guestImage, PROJECT } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";

interface Outcome {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly complaints: string;
}

const OPTIONS = [
  "-M",
  "pc",
  "--accel",
  "kvm,xen-version=0x4000a,kernel-irqchip=split",
  "-m",
  "64",
  "--display",
  "none",
];
/** 64 MiB without what lies between 640 KiB and 1 MiB, and Xen's start of page 0. */
const RAM = 65151;

describe("A test kernel", function () {
  this.timeout(60_000);
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this, "plain.elf", "plain32.elf", "plain32.multiboot.elf", "plain32.bin");
  });

  /** Runs it to its end; with `input` as the terminal's keys, at the moment when the launcher complains. */
  async function run(kernel: string, append: string, options: readonly string[] = [], input = ""): Promise<Outcome> {
    const command = [
      join(COMPILED, "bundle", "xenolith.js"),
      ...OPTIONS,
      "--kernel",
      guestImage(kernel),
      "--append",
      append,
    ];
    const child = spawn(process.execPath, [...command, ...options], { cwd: PROJECT, stdio: "pipe" });
    let output = "";
    let complaints = "";
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    child.stderr.on("data", (data: Buffer) => {
      complaints += data.toString();
      if (input !== "") child.stdin.write(input);
    });
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, lines: output.replaceAll("\r", "").split("\n").slice(0, -1), complaints };
  }

  const kernels: readonly [name: string, what: string, bits: number][] = [
    ["plain.elf", "a 64-bit ELF file with a PVH note", 64],
    ["plain32.elf", "a 32-bit ELF file with a PVH note", 32],
  ];
  for (const [name, what, bits] of kernels) {
    it(`finds its start info, modules and ACPI as ${what}`, async () => {
      const [one, two] = [folder.path("one"), folder.path("two")];
      writeFileSync(one, "first\n");
      writeFileSync(two, "second\n");
      const modules = ["--initrd", `${one} its arguments,${two}`];
      assert.deepEqual(await run(name, "say=call x", [...modules, "--xen-log"]), {
        code: 0,
        complaints: "",
        lines: [
          `${bits} bits, command line 'say=call x'`,
          "start info of version 1, flags 0",
          `memory map: ${RAM} KiB of RAM`,
          "ACPI: there",
          "module 0: 6 bytes, arguments 'its arguments', begins with 'fi'",
          "module 1: 7 bytes, arguments '', begins with 'se'",
        ],
      });
    });
  }

  for (const [name, what] of [
    ["plain32.multiboot.elf", "a 32-bit ELF file"],
    ["plain32.bin", "a flat file whose header has addresses"],
  ] as const) {
    it(`finds its multiboot information and modules as ${what}`, async () => {
      const module = folder.path("module");
      writeFileSync(module, "first\n");
      assert.deepEqual(await run(name, "x", ["--initrd", `${module} its arguments`, "--xen-log"]), {
        code: 0,
        complaints: "",
        lines: [
          `32 bits, command line '${guestImage(name)} x'`,
          "multiboot information with flags 0x24d",
          `memory map: ${RAM} KiB of RAM, upper memory: ${63 * 1024} KiB`,
          `module 0: 6 bytes, arguments '${module} its arguments', begins with 'fi'`,
        ],
      });
    });
  }

  for (const [name, bits] of [
    ["plain.elf", 64],
    ["plain32.elf", 32],
  ] as const) {
    it(`is heard by hypercall, by Xen's debug port and by the platform device's, as one of ${bits} bits`, async () => {
      const { lines } = await run(name, "say=call,port,platform", ["--xen-log"]);
      const line = `${bits} bits, command line 'say=call,port,platform'`;
      assert.deepEqual(lines.slice(0, 4), [line, line, line, "start info of version 1, flags 0"]);
    });

    it(`is heard by the PV console as one of ${bits} bits`, async () => {
      const console = ["--serial", "none", "--chardev", "stdio,id=c", "--device", "xen-console,chardev=c"];
      const { code, lines } = await run(name, "say=ring", console);
      assert.deepEqual([code, lines[0]], [0, `${bits} bits, command line 'say=ring'`]);
    });
  }

  it("resets the machine by SHUTDOWN_reboot, or ends it with --no-reboot", async () => {
    const { code, lines } = await run("plain.elf", "end=1", ["--no-reboot", "--xen-log"]);
    assert.deepEqual([code, lines.length], [0, 4]);
  });

  it("rests after SHUTDOWN_suspend, and goes on by the monitor's cont", async () => {
    const options = ["--xen-log", "--serial", "null", "--monitor", "stdio"];
    const { code, lines, complaints } = await run("plain.elf", "end=2", options, "cont\n");
    assert.match(complaints, /the guest has suspended itself, and rests until it is resumed/);
    assert.match(lines.join("\n"), /goes on with 1$/);
    assert.equal(code, 0);
  });

  it("ends the launcher with code 4 by SHUTDOWN_crash, and by SHUTDOWN_watchdog with --no-reboot", async () => {
    const crash = await run("plain.elf", "end=3");
    const watchdog = await run("plain.elf", "end=4", ["--no-reboot"]);
    assert.deepEqual([crash.code, watchdog.code], [4, 4]);
    assert.match(crash.complaints, /the guest reported a crash of its own \(vCPU 0\)/);
    assert.match(watchdog.complaints, /the guest's watchdog ran out/);
  });

  it("goes on after SHUTDOWN_soft_reset, and is heard on", async () => {
    const { code, lines } = await run("plain.elf", "end=5", ["--xen-log"]);
    assert.deepEqual([code, lines.at(-1)], [0, "goes on with 0"]);
  });
});
