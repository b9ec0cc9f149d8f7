/** Every option of the launcher. Names and meanings are QEMU's unless the text says otherwise. */

export interface OptionRow {
  /** What stands for the value in the help; a flag has none. */
  readonly value?: string;
  /** Another spelling. */
  readonly alias?: string;
  readonly help: string;
}

export const OPTIONS = {
  machine: {
    value: "pc[,accel=kvm][,kernel-irqchip=split][,acpi=off]",
    alias: "M",
    help: "machine type; acpi=off: no ACPI tables and no power management",
  },
  accel: {
    value: "kvm[,xen-version=0x4000a][,kernel-irqchip=split]…",
    help: "accelerator; xen-version turns Xen on; also xen-evtchn-max-pirq=N, xen-gnttab-max-frames=N, and of our own xen-transport=auto|kernel|userspace, xen-fifo=auto|on|off, and xen-offload-NAME=off for a piece of KVM's Xen support that is not to be used: hypercall-msr, intercept-hcall, shared-info, runstate, evtchn-2level, evtchn-send, runstate-update-flag, pvclock-tsc-unstable, shared-info-hva",
  },
  "enable-kvm": { help: "the same as --accel kvm" },
  cpu: {
    value: "host[,±FEATURE][,FEATURE=on|off]",
    help: "CPU model and features; +xen-vapic tells the guest of a virtual APIC; hv-relaxed, hv-vapic, hv-time, hv-spinlocks=N… show it Hyper-V beside Xen",
  },
  m: { value: "[size=]MiB|SIZE", help: "memory, in MiB or with a suffix such as 512M or 1G" },
  smp: { value: "[cpus=]N[,sockets=N][,cores=N][,threads=N][,maxcpus=N]", help: "virtual CPUs and their topology" },
  kernel: {
    value: "FILE",
    help: "bzImage, or ELF with a PVH note or a multiboot header, to start at once; without it firmware boots from the disks",
  },
  initrd: { value: "FILE", help: 'initial RAM disk; for multiboot "FILE ARGUMENTS,FILE…"' },
  append: { value: "TEXT", help: "kernel command line" },
  bios: { value: "FILE", help: "firmware to boot with; the system's SeaBIOS otherwise" },
  boot: {
    value: "[order=]cdn[,once=d][,menu=on][,splash-time=MS][,strict=on][,reboot-timeout=MS]",
    help: "what firmware tries, in order: c disk, d CD, n network; once= until the first reset; menu=on offers a menu for splash-time; strict=on tries only devices with a bootindex; reboot-timeout= starts anew where nothing boots",
  },
  drive: {
    value: "file=FILE[,if=ide|virtio|xen|none][,index=N][,media=disk|cdrom][,id=ID][,format=raw][,readonly=on]…",
    help: "disk image, on IDE where if= is not given; index=0 to 3 (or bus= and unit=) is the place there; also file.locking=auto|on|off, discard=ignore|unmap, cache=MODE",
  },
  hda: { value: "FILE", help: "the same as --drive file=FILE,index=0: the IDE primary master" },
  hdb: { value: "FILE", help: "index=1: the IDE primary slave" },
  hdc: { value: "FILE", help: "index=2: the IDE secondary master" },
  hdd: { value: "FILE", help: "index=3: the IDE secondary slave" },
  cdrom: { value: "FILE", help: "the same as --drive file=FILE,index=2,media=cdrom" },
  device: {
    value: "DRIVER[,SETTING=VALUE]…",
    help: "xen-disk,drive=ID[,vdev=xvda]; xen-cdrom; ide-hd,drive=ID[,bus=ide.0][,unit=0][,bootindex=N][,serial=TEXT]; ide-cd; virtio-blk-pci,drive=ID[,addr=0x4]; virtio-net-pci,netdev=ID[,mac=MAC]; edu; xen-console,chardev=ID; isa-serial,chardev=ID; isa-debugcon; isa-debug-exit,iobase=0xf4,iosize=0x04",
  },
  chardev: { value: "KIND,id=ID[,SETTING=VALUE]…", help: "character device: stdio, file, pty, socket or null" },
  serial: {
    value: "DEVICE",
    help: "serial port: mon:stdio, stdio, file:PATH, pty, unix:PATH[,server][,nowait], chardev:ID, null or none",
  },
  debugcon: { value: "DEVICE", help: "debug console at port 0xe9, to the same as --serial" },
  monitor: { value: "DEVICE", help: "monitor on stdio, unix:PATH,server,nowait, chardev:ID or none" },
  mon: { value: "[chardev=]ID[,mode=readline]", help: "monitor on a character device" },
  display: { value: "none", help: "there is no graphical display" },
  nographic: { help: "serial port and monitor on the terminal" },
  nodefaults: { help: "no device that was not asked for" },
  vga: { value: "none", help: "there is no graphics adapter" },
  netdev: {
    value: "user|tap|stream|dgram,id=ID[,SETTING=VALUE]…",
    help: "what an adapter is plugged into: user[,hostfwd=tcp::2222-:22]…; tap,ifname=NAME; stream,addr.type=unix,addr.path=PATH[,server=on][,reconnect-ms=N]; dgram,local.type=unix,local.path=PATH,remote.type=unix,remote.path=PATH",
  },
  nic: {
    value: "user|tap|stream|dgram|none[,model=virtio-net-pci][,mac=MAC]…",
    help: "network adapter together with what it is plugged into; there is none that was not asked for",
  },
  net: { value: "none", help: "there is no network adapter that was not asked for" },
  parallel: { value: "none", help: "there is no parallel port" },
  rtc: {
    value: "[base=]utc|localtime|DATE[,clock=host|rt|vm]",
    help: "what the clock says at power-on, and what it follows: the host's clock; the same, but never set; the guest's own time, which stands while it is paused",
  },
  name: { value: "[guest=]NAME", help: "name of the machine" },
  uuid: { value: "UUID", help: "the machine's UUID" },
  "xen-domid": { value: "N", help: "domain id of the guest" },
  "no-acpi": { help: "the same as --machine acpi=off" },
  S: { help: "do not start the CPUs until the monitor says cont" },
  "no-reboot": { help: "exit where the guest would be reset" },
  "no-shutdown": { help: "pause, rather than exit, when the guest powers off" },
  "no-user-config": { help: "accepted: there is no user configuration" },
  "xen-log": { help: "show what the guest writes to Xen's own console (ours)" },
  log: { value: "[level=]debug|info|warn|error[,file=PATH][,json=on]", help: "how much to log, and where (ours)" },
  trace: {
    value: "[enable=]NAME[,NAME]…",
    help: "log what the machine does, by name or pattern; help lists the names",
  },
  version: { help: "print the version" },
  help: { alias: "h", help: "print this" },
} as const satisfies Readonly<Record<string, OptionRow>>;

export type OptionName = keyof typeof OPTIONS;
/** Options that take no value. */
export type FlagName = { [K in OptionName]: (typeof OPTIONS)[K] extends { value: string } ? never : K }[OptionName];
export type ValueName = Exclude<OptionName, FlagName>;

/** Each spelling, without dashes, with the option that it means. */
export const SPELLINGS: ReadonlyMap<string, OptionName> = new Map(
  (Object.entries(OPTIONS) as [OptionName, OptionRow][]).flatMap(([name, row]): [string, OptionName][] =>
    row.alias === undefined
      ? [[name, name]]
      : [
          [name, name],
          [row.alias, name],
        ],
  ),
);

/** The option as we write it in messages: one letter takes one dash. */
export function spell(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
