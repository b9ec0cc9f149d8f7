import assert from "node:assert/strict";
import { inspect } from "node:util";
import fc from "fast-check";
import { resolveConfig } from "../../shared/config.js";
import type { MachineConfig } from "../../shared/config.js";
import { VmmError } from "../../shared/errors.js";

const XEN = { xenVersion: 0x4_000a };
const BOOT = { kernel: "vmlinuz" };

/** The text of the error that `input` gives. */
function refusal(input: unknown): string {
  try {
    resolveConfig(input);
  } catch (error) {
    assert.ok(error instanceof VmmError);
    assert.equal(error.code, "CONFIG");
    return error.message;
  }
  return "accepted";
}

describe("resolveConfig()", () => {
  it("needs a kernel and nothing else", () => {
    const config = resolveConfig({ boot: BOOT });
    assert.deepEqual(config, {
      machine: "pc",
      name: "xenolith",
      uuid: "00000000-0000-0000-0000-000000000000",
      memoryBytes: 134_217_728,
      vcpus: { count: 1, sockets: 1, cores: 1, threads: 1, maxCpus: 1 },
      accel: {
        xenVersion: 0,
        irqchip: "split",
        transport: "auto",
        fifo: "auto",
        offloads: {
          hypercallMsr: true,
          interceptHcall: true,
          sharedInfo: true,
          runstate: true,
          evtchn2level: true,
          evtchnSend: true,
          runstateUpdateFlag: true,
          pvclockTscUnstable: "auto",
          sharedInfoHva: false,
        },
        evtchnMaxPirq: 256,
        gnttabMaxFrames: 64,
      },
      xenDomid: 1,
      cpu: { model: "host", features: {}, xenVapic: false, hyperv: [] },
      boot: { kind: "direct", kernel: "vmlinuz", initrd: undefined, cmdline: "" },
      disks: [],
      nets: [],
      devices: [],
      serials: [],
      xenConsole: { kind: "null" },
      acpi: true,
      rtc: { base: "utc", clock: "host" },
      noReboot: false,
      noShutdown: false,
      log: { level: "warn", json: false },
      trace: [],
      xenLog: false,
    });
  });

  it("is plain data, so that it goes to threads", () => {
    const config = resolveConfig({ boot: BOOT, accel: XEN, disks: [{ path: "a" }], debugExit: {} });
    assert.deepEqual(structuredClone(config), config);
  });

  it("fills in what a disk leaves out", () => {
    assert.deepEqual(resolveConfig({ boot: BOOT, accel: XEN, disks: [{ path: "disk.img" }] }).disks, [
      {
        id: "disk0",
        path: "disk.img",
        format: "raw",
        readOnly: false,
        locking: "auto",
        discard: "ignore",
        cache: "writeback",
        media: "disk",
        attach: { kind: "xen", vdev: { name: "xvda", number: 51_712 } },
      },
    ]);
  });

  it("gives disks without a name of their own the free ones in order", () => {
    const disks = [{ path: "a" }, { path: "b", attach: { kind: "xen" as const, vdev: "xvda" } }, { path: "c" }];
    assert.deepEqual(
      resolveConfig({ boot: BOOT, accel: XEN, disks }).disks.map(
        (disk) => disk.attach.kind === "xen" && disk.attach.vdev.name,
      ),
      ["xvdb", "xvda", "xvdc"],
    );
  });

  it("makes a CD read-only", () => {
    const disks = [{ path: "a.iso", media: "cdrom" as const, readOnly: false }];
    assert.equal(resolveConfig({ boot: BOOT, accel: XEN, disks }).disks[0]?.readOnly, true);
  });

  const topologies: readonly [MachineConfig["vcpus"], readonly number[] | string][] = [
    [{ count: 4 }, [4, 1, 4, 1, 4]],
    [{ count: 4, sockets: 2 }, [4, 2, 2, 1, 4]],
    [{ count: 8, threads: 2 }, [8, 1, 4, 2, 8]],
    [{ count: 8, cores: 2 }, [8, 4, 2, 1, 8]],
    [{ count: 8, sockets: 2, cores: 2 }, [8, 2, 2, 2, 8]],
    [{ sockets: 2, cores: 2, threads: 2 }, [8, 2, 2, 2, 8]],
    [{ cores: 3 }, [3, 1, 3, 1, 3]],
    [{ count: 1, maxCpus: 4 }, [1, 1, 4, 1, 4]],
    [{ count: 0 }, "vcpus.count: must be a whole number from 1 to 64"],
    [{ count: 1_000_000 }, "vcpus.count: must be a whole number from 1 to 64"],
    [{ count: 1.5 }, "vcpus.count: must be a whole number from 1 to 64"],
    [{ count: 4, maxCpus: 2 }, "vcpus.maxCpus: is 2, less than the 4 vCPUs that start"],
    [{ count: 3, sockets: 2 }, "vcpus: the topology does not fit: 2 sockets * 1 cores * 1 threads is 2, not 3 vCPUs"],
    [{ sockets: 8, cores: 16 }, "vcpus: the topology has room for 128 vCPUs: at most 64 can be"],
    [
      { count: 2, sockets: 8, cores: 8 },
      "vcpus: the topology does not fit: 8 sockets * 8 cores * 1 threads is 64, not 2 vCPUs",
    ],
    [{ count: 2, cores: 4 }, "vcpus: the topology does not fit: 1 sockets * 4 cores * 1 threads is 4, not 2 vCPUs"],
    [{ count: 2, cores: 4, maxCpus: 4 }, [2, 1, 4, 1, 4]],
  ];
  for (const [vcpus, expected] of topologies) {
    it(`turns the topology ${JSON.stringify(vcpus)} into ${JSON.stringify(expected)}`, () => {
      const input = { boot: BOOT, vcpus };
      assert.deepEqual(
        typeof expected === "string" ? refusal(input) : Object.values(resolveConfig(input).vcpus),
        expected,
      );
    });
  }

  const accepted: readonly Partial<MachineConfig>[] = [
    { memoryBytes: 1_048_576 },
    { accel: { xenVersion: 0x4000a } },
    { accel: { xenVersion: 0x40011, irqchip: "split", transport: "userspace" } },
    { accel: { evtchnMaxPirq: 24, gnttabMaxFrames: 1 } },
    { cpu: { model: "max", features: { x2apic: false, "sse4.2": true } } },
    { rtc: { base: "2024-02-29T23:59:59" } },
    { rtc: { base: "localtime" } },
    { serials: [null, { kind: "pty" }] },
    { accel: XEN, xenConsole: { kind: "socket", path: "/run/console", server: true } },
    { debugExit: { iobase: 0xf4, iosize: 4 } },
  ];
  for (const part of accepted) {
    it(`accepts ${JSON.stringify(part)}`, () => {
      assert.equal(refusal({ boot: BOOT, ...part }), "accepted");
    });
  }

  const refused: readonly [unknown, RegExp][] = [
    [undefined, /^The configuration must be given$/],
    [null, /^The configuration must be an object$/],
    [{ boot: { initrd: "i" } }, /^boot\.initrd: needs a kernel$/],
    [{ boot: { cmdline: "c" } }, /^boot\.cmdline: needs a kernel$/],
    [{ boot: { ...BOOT, bios: "b" } }, /^boot\.bios: is not used where a kernel is given/],
    [{ boot: { order: "cz" } }, /^boot\.order: must be made of the letters c/],
    [{ boot: { order: "cc" } }, /^boot\.order: must have each letter only once$/],
    [{ boot: { menuTimeoutMs: 65_536 } }, /^boot\.menuTimeoutMs: must be a whole number from 0 to 65535$/],
    [{ boot: { kernel: "" } }, /^boot\.kernel: must not be empty$/],
    [{ boot: { kernel: "a\0b" } }, /^boot\.kernel: must not contain a NUL byte$/],
    [{ boot: BOOT, memory: 1 }, /^memory: there is no such setting$/],
    [{ boot: BOOT, accel: { xen: 1 } }, /^accel\.xen: there is no such setting$/],
    [{ boot: BOOT, machine: "q35" }, /^machine: q35 has no PIIX3/],
    [{ boot: BOOT, machine: "virt" }, /^machine: there is no machine type "virt"/],
    [{ boot: BOOT, memoryBytes: 0 }, /^memoryBytes: must be at least 1 MiB$/],
    [{ boot: BOOT, memoryBytes: -1 }, /^memoryBytes: must be at least 1 MiB$/],
    [{ boot: BOOT, memoryBytes: 1e21 }, /^memoryBytes: must be a whole number of bytes$/],
    [{ boot: BOOT, memoryBytes: 2 ** 41 }, /^memoryBytes: must be at most 1024 GiB$/],
    [{ boot: BOOT, memoryBytes: 1_048_577 }, /^memoryBytes: must be a multiple of the page size/],
    [{ boot: BOOT, memoryBytes: Number.NaN }, /^memoryBytes: must be a number of bytes$/],
    [{ boot: BOOT, accel: { xenVersion: 4 } }, /^accel\.xenVersion: must be 0 .no Xen. or 0x4MMMM/],
    [{ boot: BOOT, accel: { xenVersion: 0x4000a, irqchip: "on" } }, /^accel\.irqchip: must be split with Xen/],
    [{ boot: BOOT, accel: { irqchip: "off" } }, /^accel\.irqchip: must be split/],
    [{ boot: BOOT, accel: { evtchnMaxPirq: 23 } }, /^accel\.evtchnMaxPirq: must be a whole number from 24 to 4096$/],
    [{ boot: BOOT, accel: { gnttabMaxFrames: 0 } }, /^accel\.gnttabMaxFrames: must be a whole number from 1 to 1024$/],
    [{ boot: BOOT, accel: { transport: "tcp" } }, /^accel\.transport: must be one of auto, kernel, userspace$/],
    [{ boot: BOOT, xenDomid: 0 }, /^xenDomid: must be a whole number from 1 to 32751$/],
    [{ boot: BOOT, cpu: { model: "qemu64" } }, /^cpu\.model: must be one of host, max$/],
    [{ boot: BOOT, cpu: { features: { "a b": true } } }, /^cpu\.features\.a b: is not the name of a CPU feature$/],
    [{ boot: BOOT, accel: XEN, disks: [{ path: "a.qcow2", format: "qcow2" }] }, /^disks\.0\.format: .*qemu-nbd/],
    [{ boot: BOOT, accel: XEN, disks: [{ path: "" }] }, /^disks\.0\.path: must not be empty$/],
    [
      {
        boot: BOOT,
        accel: XEN,
        disks: [
          { path: "a", id: "x" },
          { path: "b", id: "x" },
        ],
      },
      /^disks\.1\.id: "x" is the name of another/,
    ],
    [{ boot: BOOT, accel: XEN, disks: [{ path: "a", attach: { kind: "scsi" } }] }, /^disks\.0\.attach\.kind: must be/],
    [
      { boot: BOOT, accel: XEN, disks: [{ path: "a", attach: { kind: "xen", vdev: "sdz99" } }] },
      /^disks\.0\.attach\.vdev: "sdz99" is not/,
    ],
    [{ boot: BOOT, disks: [{ path: "a" }] }, /^disks\.0\.attach: a Xen disk needs Xen: no Xen version is given$/],
    [{ boot: BOOT, xenConsole: { kind: "pty" } }, /^xenConsole: needs Xen: no Xen version is given$/],
    [{ boot: BOOT, serials: [null, null, null, null, null] }, /^serials: a PC has 4 serial ports$/],
    [{ boot: BOOT, serials: [{ kind: "vc" }] }, /^serials\.0\.kind: must be a character device/],
    [
      { boot: BOOT, serials: [{ kind: "socket", path: "p".repeat(108) }] },
      /^serials\.0\.path: is longer than 107 bytes/,
    ],
    [{ boot: BOOT, debugExit: { iosize: 3 } }, /^debugExit\.iosize: must be 1, 2 or 4$/],
    [{ boot: BOOT, debugExit: { iobase: 65_536 } }, /^debugExit\.iobase: must be a whole number from 0 to 65535$/],
    [{ boot: BOOT, rtc: { base: "2023-02-29" } }, /^rtc\.base: must be utc, localtime or a date/],
    [{ boot: BOOT, uuid: "x" }, /^uuid: must be written as/],
    [{ boot: BOOT, noReboot: "yes" }, /^noReboot: must be true or false$/],
    [{ boot: BOOT, name: "n".repeat(256) }, /^name: is longer than 255 characters$/],
  ];
  for (const [input, line] of refused) {
    it(`refuses ${inspect(input, { breakLength: Infinity }).slice(0, 90)}`, () => {
      assert.match(refusal(input), line);
    });
  }

  it("names the path and the reason in the error's details", () => {
    assert.throws(
      () => resolveConfig({ boot: BOOT, memoryBytes: 0 }),
      (error: VmmError) =>
        error.details["path"] === "memoryBytes" && error.details["reason"] === "must be at least 1 MiB",
    );
  });

  it("refuses a disk whose device is another's under a different spelling", () => {
    const disks = [
      { path: "a", attach: { kind: "xen", vdev: "xvda" } },
      { path: "b", attach: { kind: "xen", vdev: "d0" } },
    ];
    assert.match(
      refusal({ boot: BOOT, accel: XEN, disks }),
      /^disks\.1\.attach\.vdev: d0 is taken by the disk "disk0"$/,
    );
  });

  it("throws nothing but a one-line CONFIG error, whatever the input", () => {
    const fields = ["boot", "kernel", "disks", "vcpus", "accel", "serials", "kind", "memoryBytes", "__proto__", "cpu"];
    const anything = fc.anything({ key: fc.constantFrom(...fields), maxDepth: 4 });
    fc.assert(
      fc.property(anything, (input) => {
        assert.doesNotMatch(refusal(input), /\n/);
        assert.doesNotMatch(refusal({ boot: BOOT, ...(input as object) }), /\n/);
      }),
    );
  });
});
