import assert from "node:assert/strict";
import fc from "fast-check";
import { Arguments } from "../../../cli/options/arguments.js";
import { planLaunch } from "../../../cli/options/plan.js";
import type { LaunchPlan } from "../../../cli/options/plan.js";
import { OPTIONS } from "../../../cli/options/table.js";
import { resolveConfig } from "../../../shared/config.js";
import type { MachineConfig, ResolvedConfig } from "../../../shared/config.js";
import { XEN, placeOf, refusal, words } from "./command-line.js";

function plan(line: string): LaunchPlan {
  return planLaunch(new Arguments(words(`--kernel vmlinuz ${XEN} ${line}`)));
}

function machine(line: string): ResolvedConfig {
  return resolveConfig(plan(line).machine);
}

describe("planLaunch()", () => {
  it("understands the main command line", () => {
    const argv = words(
      "-M pc --accel kvm,xen-version=0x4000a,kernel-irqchip=split --cpu host,+xen-vapic -m 512 --smp 2 " +
        "--kernel vmlinuz --initrd initrd.img --display none --serial mon:stdio " +
        "--drive file=disk.img,if=none,id=disk,file.locking=off,format=raw --device xen-disk,drive=disk,vdev=xvda",
    );
    const planned = planLaunch(new Arguments([...argv, "--append", "root=/dev/xvda console=ttyS0"]));
    assert.deepEqual(planned.terminal, { frontEnds: ["serial0", "monitor"], mux: true, signal: false });
    assert.equal(planned.startPaused, false);
    const expected: MachineConfig = {
      machine: "pc",
      memoryBytes: 536_870_912,
      vcpus: { count: 2 },
      accel: { xenVersion: 0x4000a, irqchip: "split" },
      cpu: { model: "host", xenVapic: true },
      boot: { kernel: "vmlinuz", initrd: "initrd.img", cmdline: "root=/dev/xvda console=ttyS0" },
      disks: [{ id: "disk", path: "disk.img", locking: "off", attach: { kind: "xen", vdev: "xvda" } }],
      serials: [{ kind: "stream" }],
    };
    assert.deepEqual(defined(resolveConfig(planned.machine)), defined(resolveConfig(expected)));
  });

  const machines: readonly [string, (config: ResolvedConfig) => unknown, unknown][] = [
    ["", (config) => config.memoryBytes, 134_217_728],
    ["-m 512", (config) => config.memoryBytes, 536_870_912],
    ["-m size=1G", (config) => config.memoryBytes, 1_073_741_824],
    ["-m 64 -m 128", (config) => config.memoryBytes, 134_217_728],
    ["--smp 2,sockets=2", (config) => config.vcpus, { count: 2, sockets: 2, cores: 1, threads: 1, maxCpus: 2 }],
    ["--smp cpus=4,threads=2", (config) => config.vcpus, { count: 4, sockets: 1, cores: 2, threads: 2, maxCpus: 4 }],
    ["-machine type=pc,accel=kvm,kernel_irqchip=split", (config) => config.accel.irqchip, "split"],
    ["-M accel=kvm -enable-kvm", (config) => config.machine, "pc"],
    ["--accel xen-version=262154", (config) => config.accel.xenVersion, 0x4000a],
    ["--accel kvm --accel xen-version=0", (config) => config.accel.xenVersion, 0],
    ["--accel kvm,xen-transport=userspace", (config) => config.accel.transport, "userspace"],
    ["--accel kvm,xen-offload-evtchn-send=off", (config) => config.accel.offloads.evtchnSend, false],
    ["--accel kvm,xen-offload-evtchn-2level=no", (config) => config.accel.offloads.evtchn2level, false],
    ["--accel kvm,xen-offload-pvclock-tsc-unstable=on", (config) => config.accel.offloads.pvclockTscUnstable, "on"],
    ["--accel kvm,xen-evtchn-max-pirq=512", (config) => config.accel.evtchnMaxPirq, 512],
    ["--accel kvm,xen-gnttab-max-frames=32", (config) => config.accel.gnttabMaxFrames, 32],
    ["--cpu max", (config) => config.cpu.model, "max"],
    [
      "--cpu host,-x2apic,+avx,aes=on,mwait=off",
      (config) => config.cpu.features,
      { x2apic: false, avx: true, aes: true, mwait: false },
    ],
    ["--cpu host,+avx,-avx", (config) => config.cpu.features, { avx: false }],
    ["--cpu host,xen-vapic=on", (config) => [config.cpu.xenVapic, config.cpu.features], [true, {}]],
    ["-name guest=web", (config) => config.name, "web"],
    ["-uuid 550E8400-e29b-41d4-a716-446655440000", (config) => config.uuid, "550e8400-e29b-41d4-a716-446655440000"],
    ["-xen-domid 7", (config) => config.xenDomid, 7],
    ["-rtc base=2006-06-17T16:01:21", (config) => config.rtc.base, "2006-06-17T16:01:21"],
    ["-rtc base=utc,clock=host,driftfix=none", (config) => config.rtc, { base: "utc", clock: "host" }],
    ["-rtc clock=rt -rtc localtime", (config) => config.rtc, { base: "localtime", clock: "rt" }],
    ["-rtc clock=vm", (config) => config.rtc.clock, "vm"],
    ["--smp 4,sockets=2,dies=1,cores=2", (config) => config.vcpus.threads, 1],
    ["-M pc", (config) => config.acpi, true],
    ["-M pc,acpi=off", (config) => config.acpi, false],
    ["-no-acpi", (config) => config.acpi, false],
    ["-rtc localtime", (config) => config.rtc.base, "localtime"],
    ["--no-reboot -no-shutdown", (config) => [config.noReboot, config.noShutdown], [true, true]],
    ["--xen-log", (config) => config.xenLog, true],
    ["--log debug,json=on", (config) => config.log, { level: "debug", json: true }],
    ["-device isa-debug-exit,iobase=0xf4,iosize=0x04", (config) => config.debugExit, { iobase: 0xf4, iosize: 4 }],
    ["-device isa-debug-exit", (config) => config.debugExit, { iobase: 0x501, iosize: 2 }],
    ["-debugcon file:log", (config) => config.debugcon?.iobase, 0xe9],
    ["-nic none -net none -vga none -parallel none", (config) => config.machine, "pc"],
  ];
  for (const [line, read, value] of machines) {
    it(`understands ${line === "" ? "nothing at all" : line}`, () => {
      assert.deepEqual(defined(read(machine(line))), value);
    });
  }

  const drives: readonly [string, unknown][] = [
    ["file=a,if=xen", { path: "a", readOnly: false, media: "disk", place: "xvda" }],
    ["file=a,,b,if=xen", { path: "a,b", readOnly: false, media: "disk", place: "xvda" }],
    ["file=a,if=xen,readonly=on", { path: "a", readOnly: true, media: "disk", place: "xvda" }],
    ["file=a,if=xen,media=cdrom", { path: "a", readOnly: true, media: "cdrom", place: "xvda" }],
    ["file=a,if=none,id=x -device xen-cdrom,drive=x", { path: "a", readOnly: true, media: "cdrom", place: "xvda" }],
    [
      "file=a,if=none,id=x -device xen-disk,drive=x,vdev=xvdq",
      { path: "a", readOnly: false, media: "disk", place: "xvdq" },
    ],
  ];
  for (const [line, expected] of drives) {
    it(`attaches --drive ${line}`, () => {
      const [disk] = machine(`--drive ${line}`).disks;
      assert.deepEqual(
        { path: disk?.path, readOnly: disk?.readOnly, media: disk?.media, place: placeOf(disk?.attach) },
        expected,
      );
    });
  }

  it("passes a drive's other settings on", () => {
    const [disk] = machine("--drive file=a,if=xen,id=x,discard=on,cache=none,file.locking=on").disks;
    assert.deepEqual([disk?.id, disk?.discard, disk?.cache, disk?.locking], ["x", "unmap", "none", "on"]);
  });

  it("keeps names of files as they are, odd as they may be (C10)", () => {
    const planned = planLaunch(
      new Arguments(["--kernel", "../a b\tc", ...words(XEN), "--drive", "file=/tmp/ü x=y,if=xen"]),
    );
    const { boot, disks } = resolveConfig(planned.machine);
    assert.deepEqual([boot.kind === "direct" && boot.kernel, disks[0]?.path], ["../a b\tc", "/tmp/ü x=y"]);
  });

  /** A command line, its serial ports, and who is on the terminal. */
  const consoles: readonly [string, unknown, readonly string[] | undefined][] = [
    ["", [{ kind: "stream" }], ["serial0", "monitor"]],
    ["-nographic", [{ kind: "stream" }], ["serial0", "monitor"]],
    ["-nographic -display none", [{ kind: "stream" }], ["serial0", "monitor"]],
    ["-display none", [{ kind: "null" }], undefined],
    ["-nodefaults", [], undefined],
    ["-serial none", [null], undefined],
    ["-serial stdio", [{ kind: "stream" }], ["serial0"]],
    ["-serial null -serial mon:stdio", [{ kind: "null" }, { kind: "stream" }], ["serial1", "monitor"]],
    ["-serial pty -monitor stdio", [{ kind: "pty" }], ["monitor"]],
    ["-monitor stdio", [{ kind: "null" }], ["monitor"]],
    ["-serial file:a,b", [{ kind: "file", path: "a,b", append: false }], undefined],
    ["-serial unix:/run/s,server,nowait", [{ kind: "socket", path: "/run/s", server: true, wait: false }], undefined],
    ["-serial unix:/run/s", [{ kind: "socket", path: "/run/s", server: false, wait: true }], undefined],
    [
      "-chardev file,id=f,path=log,append=on -serial chardev:f",
      [{ kind: "file", path: "log", append: true }],
      undefined,
    ],
    ["-chardev pty,id=p -device isa-serial,chardev=p", [{ kind: "pty" }], undefined],
    ["-chardev stdio,id=c,mux=on -serial chardev:c -mon c", [{ kind: "stream" }], ["serial0", "monitor"]],
    [
      "-chardev stdio,id=c,mux=on -mon chardev=c,mode=readline -device xen-console,chardev=c",
      [{ kind: "null" }],
      ["xen-console", "monitor"],
    ],
    ["-debugcon stdio", [{ kind: "null" }], ["debugcon"]],
  ];
  for (const [line, serials, frontEnds] of consoles) {
    it(`plans the consoles of ${line === "" ? "nothing at all" : line}`, () => {
      const planned = plan(line);
      assert.deepEqual(resolveConfig(planned.machine).serials, serials);
      assert.deepEqual(planned.terminal?.frontEnds, frontEnds);
    });
  }

  it("leaves Ctrl-C to the guest where the monitor shares the terminal, and takes it where it does not", () => {
    const lines = ["-serial mon:stdio", "-serial stdio", "-chardev stdio,id=c,signal=off -serial chardev:c"];
    assert.deepEqual(
      lines.map((line) => plan(line).terminal?.signal),
      [false, true, false],
    );
  });

  it("puts a monitor on a socket", () => {
    assert.deepEqual(plan("-monitor unix:/run/m,server,nowait").monitorSockets, [{ path: "/run/m", server: true }]);
  });

  it("waits for the monitor with -S", () => {
    assert.equal(plan("-S").startPaused, true);
  });

  const refused: readonly [string, string][] = [
    ["-m 0", "-m: must be at least 1 MiB"],
    ["-m -1", "-m: '-1' is not a size: write whole MiB, or a number with a suffix such as 512M or 1G"],
    ["-m 1e9T", "-m: '1e9T' is not a size: write whole MiB, or a number with a suffix such as 512M or 1G"],
    ["-m 128.5M", "-m: '128.5M' is not a size: write whole MiB, or a number with a suffix such as 512M or 1G"],
    ["-m abc", "-m: 'abc' is not a size: write whole MiB, or a number with a suffix such as 512M or 1G"],
    ["-m 4096T", "-m: must be at most 1024 GiB"],
    ["-m 1024G,slots=2", "-m: unknown setting 'slots'"],
    ["-smp 0", "--smp cpus: must be a whole number from 1 to 64"],
    ["-smp 1000000", "--smp cpus: must be a whole number from 1 to 64"],
    ["-smp two", "--smp cpus: must be a whole number, not 'two'"],
    ["-smp 2,core=2", "--smp: unknown setting 'core': did you mean 'cores'?"],
    ["-smp 4,maxcpus=2", "--smp maxcpus: is 2, less than the 4 vCPUs that start"],
    [
      "-M q35",
      "--machine: q35 has no PIIX3, and the Xen platform's unplug protocol and interrupt routing stand on it: use pc",
    ],
    ["-M pc,acel=kvm", "--machine: unknown setting 'acel': did you mean 'accel'?"],
    ["-M pc,acpi=auto", "--machine acpi: must be on or off, not 'auto'"],
    ["-M pc,accel=tcg", "--machine accel: 'tcg' is not there: the accelerator is kvm"],
    ["-accel tcg", "--accel: 'tcg' is not there: the accelerator is kvm"],
    ["-accel kvm,xen-version=4.10", "--accel xen-version: '4.10' is malformed: write 0x4000a for 4.10"],
    ["-accel kvm,xen-version=zz", "--accel xen-version: 'zz' is malformed: write a number such as 0x4000a"],
    [
      "-accel kvm,xen-version=5",
      "--accel xen-version: must be 0 (no Xen) or 0x4MMMM, major and minor in 16 bits each: 0x4000a is Xen 4.10, 0x40011 Xen 4.17",
    ],
    [
      "-accel kvm,xen-version=0x4000a,kernel-irqchip=on",
      "--accel kernel-irqchip: must be split with Xen: a guest takes interrupts as event channels, which an IOAPIC in the kernel cannot give it",
    ],
    ["-accel kvm,xen-evtchn-max-pirq=70000", "--accel xen-evtchn-max-pirq: must be a whole number from 24 to 4096"],
    ["-accel kvm,xen-gnttab-max-frames=0", "--accel xen-gnttab-max-frames: must be a whole number from 1 to 1024"],
    [
      "-accel kvm,xen-transport=kernal",
      "--accel xen-transport: 'kernal' is none of auto, kernel, userspace: did you mean 'kernel'?",
    ],
    ["-cpu hots", "--cpu: there is no model 'hots': use host or max: did you mean 'host'?"],
    ["-cpu host,level=9", "--cpu level: must be on or off, not '9'"],
    ["-xen-domid 0", "--xen-domid: must be a whole number from 1 to 32751"],
    [
      "-uuid 1",
      "--uuid: must be written as 8-4-4-4-12 hexadecimal digits, such as 550e8400-e29b-41d4-a716-446655440000",
    ],
    ["-rtc base=noon", "--rtc: must be utc, localtime or a date such as 2006-06-17T16:01:21"],
    ["-rtc base=utc,clock=guest", "--rtc clock: 'guest' is none of host, rt, vm"],
    ["-rtc driftfix=slew", "--rtc driftfix: 'slew' is not there: ticks that a guest misses are not made up for"],
    ["-smp 2,dies=2", "--smp dies: is not there: it can only be 1, not 2"],
    ["-smp 2,cores=4", "--smp: the topology does not fit: 1 sockets * 4 cores * 1 threads is 4, not 2 vCPUs"],
    ["-accel xen-version=0 -drive file=a,if=xen", "--drive: a Xen disk needs Xen: no Xen version is given"],
    [
      "-accel xen-version=0 -chardev pty,id=p -device xen-console,chardev=p",
      "--device xen-console: needs Xen: no Xen version is given",
    ],
    ["-display gtk", "--display: 'gtk' is not there: only none is"],
    ["-drive if=xen", "--drive: needs file="],
    ["-drive file=a,if=none,id=x", "--drive x: no device uses it: add --device xen-disk,drive=x"],
    ["-drive file=a,if=xen,id=x -drive file=b,if=xen,id=x", "--drive: there are two with id=x"],
    ["-drive file=a,if=xen,id=x -device xen-disk,drive=x", "--device xen-disk drive: x is in use by another device"],
    [
      "-drive file=a,if=xen,format=qcow2",
      '--drive format: only raw images are read directly: serve "qcow2" with qemu-nbd and attach the nbd device it gives',
    ],
    ["-drive file=json:{},if=xen", "--drive file: 'json:' is not read here: only files and block devices are"],
    ["-drive file=a,if=xen,readonly=perhaps", "--drive readonly: must be on or off, not 'perhaps'"],
    ["-drive file=a,if=xen,cahce=none", "--drive: unknown setting 'cahce': did you mean 'cache'?"],
    ["-device xen-disk,drive=nodisk", "--device xen-disk drive: there is no --drive with id=nodisk"],
    ["-device xen-disc,drive=a", "--device: there is no device 'xen-disc': did you mean 'xen-disk'?"],
    ["-device xen-disk", "--device xen-disk: needs drive="],
    ["-device isa-debug-exit,iosize=3", "--device isa-debug-exit iosize: must be 1, 2 or 4, not 3"],
    ["-device isa-debug-exit,iobase=0x10000", "--device isa-debug-exit iobase: must be a whole number from 0 to 65535"],
    ["-device isa-debug-exit -device isa-debug-exit", "--device isa-debug-exit: there can be only one"],
    ["-device xen-console,chardev=c", "--device xen-console chardev: there is no --chardev with id=c"],
    ["-chardev sdtio,id=c", "--chardev: there is no kind 'sdtio': did you mean 'stdio'?"],
    ["-chardev stdio", "--chardev stdio: needs id="],
    ["-chardev pty,id=c -chardev pty,id=c", "--chardev: there are two with id=c"],
    ["-chardev pty,id=c -serial chardev:c -serial chardev:c", "--serial: the chardev c is in use already"],
    ["-chardev pty,id=c -mon c", "--mon: a monitor needs the terminal or a socket, not pty"],
    [
      "-serial stdio -monitor stdio",
      "--monitor: the terminal is taken by --serial: share it by mon:stdio, or by --chardev stdio,mux=on,id=ID",
    ],
    ["-serial mon:pty", "--serial: 'mon:pty' is not there: a monitor shares only the terminal, as mon:stdio"],
    ["-serial vc", "--serial: there is no device 'vc'"],
    ["-serial file:", "--serial: file: needs a path"],
    ["-serial null -serial null -serial null -serial null -serial null", "--serial: a PC has 4 serial ports"],
    [
      `-serial unix:/${"s".repeat(107)}`,
      "--serial path: is longer than 107 bytes, the most that a Unix socket can have",
    ],
    ...["xvda256", "hde", "sdz99", "d1048576"].map((vdev): [string, string] => [
      `-drive file=a,if=none,id=x -device xen-disk,drive=x,vdev=${vdev}`,
      `--device vdev: "${vdev}" is not a Xen block device: xvda, xvdb3, sda to sdp, hda to hdd, d0p1`,
    ]),
  ];
  for (const [line, message] of refused) {
    it(`refuses ${line.slice(0, 100)} (C1, C2, C4, C9)`, () => {
      assert.deepEqual(refusal(words(`--kernel vmlinuz ${XEN} ${line}`)), [message, 2]);
    });
  }

  it("keeps a control character of a name out of its message", () => {
    assert.deepEqual(refusal(["--kernel", "k", "-serial", "a\x1b[2J\nb"]), [
      "--serial: there is no device 'a\\x1b[2J\\x0ab'",
      2,
    ]);
  });

  it("throws nothing but a usage error of one line, whatever it is given", () => {
    const names = Object.keys(OPTIONS).flatMap((name) => [`-${name}`, `--${name}`]);
    const values = [
      "kvm,xen-version=0x4000a",
      "pc",
      "host,+x",
      "a,b=c,,d",
      "mon:stdio",
      "stdio,id=c",
      "chardev:c",
      "xen-disk,drive=d",
      "file=a,if=xen,id=d",
      "512M",
      "4",
      "__proto__=1",
      "unix:a,server",
    ];
    const word = fc.oneof(fc.constantFrom(...names), fc.constantFrom(...values), fc.string());
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), fc.boolean(), (argv, kernel) => {
        const [line, code] = refusal(kernel ? ["--kernel", "k", ...argv] : argv);
        assert.doesNotMatch(line, /\n/);
        assert.ok(code === 2 || line === "accepted");
      }),
      { numRuns: 500 },
    );
  });
});

/** The same without members that are undefined. */
function defined(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}
