/** What the monitor's `info` says of a machine's parts, in the form of QEMU's human monitor. */
import type { CdDriveStatus, NetworkStatus, PciFunctionReport, ResolvedConfig } from "../../index.js";

type Disk = ResolvedConfig["disks"][number];
type Net = ResolvedConfig["nets"][number];

/** `drives` are those of `disks` whose discs can be changed, as they are now. */
export function blockText(disks: readonly Disk[], drives: readonly CdDriveStatus[]): string {
  return disks
    .map((disk) =>
      diskText(
        disk,
        drives.find(({ id }) => id === disk.id),
      ),
    )
    .join("\n\n");
}

function diskText(disk: Disk, drive: CdDriveStatus | undefined): string {
  const { id, format, readOnly, cache } = disk;
  const path = drive === undefined ? disk.path : drive.path;
  const image = path === undefined ? "[not inserted]" : `${path} (${format}${readOnly ? ", read-only" : ""})`;
  const lines = [`${id}: ${image}`, `    Attached to:      ${placeText(disk)}`];
  if (drive !== undefined) {
    const { locked, trayOpen } = drive;
    lines.push(`    Removable device: ${locked ? "locked" : "not locked"}, tray ${trayOpen ? "open" : "closed"}`);
  }
  if (path !== undefined) lines.push(`    Cache mode:       ${cache}`);
  return lines.join("\n");
}

function placeText({ attach }: Disk): string {
  switch (attach.kind) {
    case "xen":
      return `xen ${attach.vdev.name}`;
    case "ide":
      return `ide.${attach.channel} unit ${attach.unit}`;
    case "virtio":
      return `virtio-blk-pci ${hex(attach.slot, 2)}.0`;
  }
}

/** `status` is that of `nets` as they are now. */
export function networkText(nets: readonly Net[], status: readonly NetworkStatus[]): string {
  return nets
    .map(({ id, mac, backend }, index) => {
      const link = status[index]?.linkUp === true ? "" : ",link=down";
      return `${id}: index=${index},type=nic,model=virtio-net-pci,macaddr=${mac}${link}\n \\ ${backendText(backend)}`;
    })
    .join("\n");
}

function backendText(backend: Net["backend"]): string {
  switch (backend.kind) {
    case "none":
      return "nothing plugged in";
    case "user":
      return ["type=user", ...(backend.hostForwards ?? []).map((forward) => `hostfwd=${forward}`)].join(",");
    case "tap":
      return `type=tap,ifname=${backend.ifname}`;
    case "stream":
      return `type=stream,server=${backend.server ? "on" : "off"},path=${backend.path}`;
    case "dgram":
      return `type=dgram,local=${endText(backend.local)},remote=${endText(backend.remote)}`;
  }
}

function endText(end: Extract<Net["backend"], { kind: "dgram" }>["local"]): string {
  return typeof end === "string" ? end : `${end.host}:${end.port}`;
}

/** Class and subclass as people call them. */
const CLASSES: ReadonlyMap<number, string> = new Map([
  [0x0100, "SCSI controller"],
  [0x0101, "IDE controller"],
  [0x0200, "Ethernet controller"],
  [0x0600, "Host bridge"],
  [0x0601, "ISA bridge"],
  [0x0680, "Bridge"],
]);

export function pciText(functions: readonly PciFunctionReport[]): string {
  return functions.map(functionText).join("\n");
}

function functionText(report: PciFunctionReport): string {
  const { slot, classCode, vendor, device, subsystemVendor, subsystem, interruptPin, interruptLine } = report;
  const name = CLASSES.get(classCode) ?? `Class ${hex(classCode, 4)}`;
  const lines = [
    `  Bus  0, device ${String(slot).padStart(3)}, function ${report.function}:`,
    `    ${name}: PCI device ${hex(vendor, 4)}:${hex(device, 4)} (${report.name})`,
  ];
  if (subsystemVendor !== 0) lines.push(`      PCI subsystem ${hex(subsystemVendor, 4)}:${hex(subsystem, 4)}`);
  if (interruptPin !== 0) lines.push(`      IRQ ${interruptLine}, pin ${String.fromCharCode(0x40 + interruptPin)}`);
  for (const { index, kind, base, length } of report.bars) {
    const [space, digits] = kind === "io" ? ["I/O", 4] : ["32 bit memory", 8];
    lines.push(`      BAR${index}: ${space} at 0x${hex(base, digits)} [0x${hex(base + length - 1, digits)}]`);
  }
  return lines.join("\n");
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
