/** Disks: each `--drive` names an image, and `--device xen-disk` or `if=xen` shows it to the guest. */
import type { MachineConfig } from "../../index.js";
import { UsageError, didYouMean, usageError } from "../usage.js";
import type { Device } from "./devices.js";
import { Settings } from "./settings.js";

export type DiskInput = NonNullable<MachineConfig["disks"]>[number];

interface Drive {
  readonly disk: DiskInput;
  readonly interface: "xen" | "none";
}

const DRIVE_KEYS = [
  "file",
  "if",
  "id",
  "format",
  "readonly",
  "media",
  "file.locking",
  "file.filename",
  "discard",
  "cache",
] as const;

/** Images named by protocol rather than by path: none is read here. */
const PROTOCOL = /^(json|nbd(\+unix)?|https?|ftps?|ssh|iscsi|rbd|gluster|fat|vvfat|blkdebug):/;

/** The machine's disks, in the order in which they were attached. */
export function disks(drives: readonly string[], devices: readonly Device[]): readonly DiskInput[] {
  const byId = new Map<string, Drive>();
  for (const [index, text] of drives.entries()) {
    const drive = parseDrive(text, index);
    const id = drive.disk.id ?? "";
    if (byId.has(id)) throw usageError("--drive", `there are two with id=${id}`);
    byId.set(id, drive);
  }
  const attached = new Map<string, DiskInput>();
  for (const [id, drive] of byId) if (drive.interface === "xen") attached.set(id, drive.disk);
  for (const device of devices) attach(device, byId, attached);
  const loose = [...byId.keys()].find((id) => !attached.has(id));
  if (loose !== undefined)
    throw usageError(`--drive ${loose}`, `no device uses it: add --device xen-disk,drive=${loose}`);
  return [...attached.values()];
}

function attach(device: Device, drives: ReadonlyMap<string, Drive>, attached: Map<string, DiskInput>): void {
  const { settings, driver } = device;
  const id = settings.required("drive");
  const drive = drives.get(id);
  if (drive === undefined) {
    throw settings.error("drive", `there is no --drive with id=${id}${didYouMean(id, drives.keys())}`);
  }
  if (attached.has(id)) throw settings.error("drive", `${id} is in use by another device`);
  const media = driver === "xen-cdrom" ? "cdrom" : drive.disk.media;
  attached.set(id, { ...drive.disk, media, attach: { kind: "xen", vdev: settings.text("vdev") } });
}

function parseDrive(text: string, index: number): Drive {
  const settings = Settings.parse("--drive", text, {
    known: DRIVE_KEYS,
    aliases: { "read-only": "readonly", locking: "file.locking" },
  });
  const path = settings.text("file.filename") ?? settings.required("file");
  const protocol = PROTOCOL.exec(path)?.[0];
  if (protocol !== undefined) {
    throw settings.error("file", `'${protocol}' is not read here: only files and block devices are`);
  }
  return {
    interface: driveInterface(settings),
    disk: {
      id: settings.text("id") ?? `drive${index}`,
      path,
      format: settings.text("format"),
      readOnly: settings.flag("readonly"),
      media: settings.choice("media", ["disk", "cdrom"]),
      locking: settings.choice("file.locking", ["auto", "on", "off"]),
      discard: discard(settings),
      cache: settings.choice("cache", ["writeback", "none", "writethrough", "directsync", "unsafe"]),
    },
  };
}

function driveInterface(settings: Settings): Drive["interface"] {
  const text = settings.text("if");
  if (text === "none" || text === "xen") return text;
  const what = text === undefined ? "must be given" : `'${text}' is not there`;
  throw new UsageError(`${settings.where} if: ${what}: use if=xen, or if=none with --device xen-disk,drive=ID`);
}

function discard(settings: Settings): "ignore" | "unmap" | undefined {
  const choice = settings.choice("discard", ["ignore", "unmap", "off", "on"]);
  return choice === "off" ? "ignore" : choice === "on" ? "unmap" : choice;
}
