/** Disks: each drive as the device that shows it to the guest, in a place of its own. */
import { didYouMean, usageError } from "../usage.js";
import type { Device } from "./devices.js";
import type { DiskInput, Drive, IdePlace } from "./drives.js";
import { bootIndex, pciSlot } from "./pci.js";
import type { Settings } from "./settings.js";

/** A disk before its place on IDE is known. */
interface Attached {
  /** The option that attached it. */
  readonly where: string;
  readonly id: string | undefined;
  readonly disk: Omit<DiskInput, "id" | "attach">;
  readonly attach: NonNullable<DiskInput["attach"]>;
}

/** The machine's disks: drives with an `if=` of their own first, then devices, both in the order of the command line. */
export function disks(drives: readonly Drive[], devices: readonly Device[]): readonly DiskInput[] {
  const byId = new Map<string, Drive>();
  for (const drive of drives) {
    if (drive.id === undefined) continue;
    if (byId.has(drive.id)) throw usageError("--drive", `there are two with id=${drive.id}`);
    byId.set(drive.id, drive);
  }
  const used = new Set<Drive>();
  const attached = drives.flatMap((drive) => {
    if (drive.interface === "none") return [];
    used.add(drive);
    return [{ where: drive.where, id: drive.id, disk: drive.image, attach: ownAttachment(drive) }];
  });
  for (const device of devices) {
    const disk = attach(device, byId, used);
    if (disk !== undefined) attached.push(disk);
  }
  const loose = drives.find((drive) => !used.has(drive));
  if (loose?.id !== undefined)
    throw usageError(`--drive ${loose.id}`, `no device uses it: add --device xen-disk,drive=${loose.id}`);
  if (loose !== undefined) throw usageError("--drive", "if=none needs id=, by which a device uses it");
  return named(placed(attached));
}

function ownAttachment({ interface: kind, place }: Drive): Attached["attach"] {
  switch (kind) {
    case "ide":
      return { kind, channel: place.channel, unit: place.unit };
    case "virtio":
    case "xen":
      return { kind };
    case "none":
      throw new RangeError("A drive with if=none is attached by its device");
  }
}

/** The disk that `device` is, or undefined when it is none. */
function attach(device: Device, drives: ReadonlyMap<string, Drive>, used: Set<Drive>): Attached | undefined {
  const { settings, driver } = device;
  const { where } = settings;
  switch (driver) {
    case "xen-disk":
    case "xen-cdrom": {
      const drive = driveOf(settings, drives, used);
      const media = driver === "xen-cdrom" ? "cdrom" : drive.image.media;
      return {
        where,
        id: drive.id,
        disk: { ...drive.image, media },
        attach: { kind: "xen", vdev: settings.text("vdev") },
      };
    }
    case "ide-hd":
    case "ide-cd": {
      const media = driver === "ide-cd" ? "cdrom" : "disk";
      // A CD drive may be without a disc, and then it needs no --drive.
      const empty = driver === "ide-cd" && settings.text("drive") === undefined;
      const drive = empty ? undefined : driveOf(settings, drives, used);
      if (media === "disk" && drive?.image.path === undefined) throw settings.error("drive", "a disk needs an image");
      return {
        where,
        id: drive?.id ?? settings.text("id"),
        disk: { ...drive?.image, media, ...properties(settings) },
        attach: { kind: "ide", ...idePlace(settings) },
      };
    }
    case "virtio-blk-pci": {
      const drive = driveOf(settings, drives, used);
      return {
        where,
        id: drive.id,
        disk: { ...drive.image, ...properties(settings) },
        attach: { kind: "virtio", slot: pciSlot(settings) },
      };
    }
    default:
      return undefined;
  }
}

function driveOf(settings: Settings, drives: ReadonlyMap<string, Drive>, used: Set<Drive>): Drive {
  const id = settings.required("drive");
  const drive = drives.get(id);
  if (drive === undefined) {
    throw settings.error("drive", `there is no --drive with id=${id}${didYouMean(id, drives.keys())}`);
  }
  if (used.has(drive)) throw settings.error("drive", `${id} is in use by another device`);
  used.add(drive);
  return drive;
}

function properties(settings: Settings): Pick<DiskInput, "bootIndex" | "serial"> {
  return { bootIndex: bootIndex(settings), serial: settings.text("serial") };
}

/** `bus=ide.N` is a channel. */
function idePlace(settings: Settings): IdePlace {
  const unit = settings.integer("unit");
  if (unit !== undefined && unit !== 0 && unit !== 1) throw settings.error("unit", `must be 0 or 1, not ${unit}`);
  const bus = settings.choice("bus", ["ide.0", "ide.1"]);
  return { channel: bus === undefined ? undefined : bus === "ide.0" ? 0 : 1, unit };
}

const PLACES = [
  { channel: 0, unit: 0 },
  { channel: 0, unit: 1 },
  { channel: 1, unit: 0 },
  { channel: 1, unit: 1 },
] as const;

/** Gives each IDE drive a place: first those that say exactly which, then the others in order. */
function placed(disks: readonly Attached[]): readonly Attached[] {
  const owners = new Map<string, string>();
  const claim = (where: string, { channel, unit }: (typeof PLACES)[number]): void => {
    owners.set(`${channel}.${unit}`, where);
  };
  for (const { where, attach } of disks) {
    const place = PLACES.find((known) => isPlace(attach, known) && isExact(attach));
    if (place === undefined) continue;
    const owner = owners.get(`${place.channel}.${place.unit}`);
    if (owner !== undefined) throw usageError(where, `${describePlace(place)} is taken by ${owner}`);
    claim(where, place);
  }
  return disks.map((disk) => {
    if (disk.attach.kind !== "ide" || isExact(disk.attach)) return disk;
    const free = PLACES.find((place) => isPlace(disk.attach, place) && !owners.has(`${place.channel}.${place.unit}`));
    if (free === undefined) throw usageError(disk.where, "no place is free on IDE: two channels have two drives each");
    claim(disk.where, free);
    return { ...disk, attach: { kind: "ide", ...free } };
  });
}

function isExact(attach: Attached["attach"]): boolean {
  return attach.kind === "ide" && attach.channel !== undefined && attach.unit !== undefined;
}

function isPlace(attach: Attached["attach"], { channel, unit }: (typeof PLACES)[number]): boolean {
  return attach.kind === "ide" && (attach.channel ?? channel) === channel && (attach.unit ?? unit) === unit;
}

function describePlace({ channel, unit }: (typeof PLACES)[number]): string {
  const place = `${channel === 0 ? "primary" : "secondary"} ${unit === 0 ? "master" : "slave"}`;
  return `the IDE ${place} (index=${channel * 2 + unit})`;
}

/** Names as QEMU makes them up, by which the monitor knows a disk: ide1-cd0, virtio0. */
function named(disks: readonly Attached[]): readonly DiskInput[] {
  const taken = new Set(disks.map(({ id }) => id));
  return disks.map(({ id, disk, attach }) => {
    if (id !== undefined) return { ...disk, id, attach };
    for (let number = 0; ; number++) {
      const made = madeUpId(attach, disk.media, number);
      if (taken.has(made)) continue;
      taken.add(made);
      return { ...disk, id: made, attach };
    }
  });
}

function madeUpId(attach: Attached["attach"], media: DiskInput["media"], number: number): string {
  if (attach.kind !== "ide") return `${attach.kind}${number}`;
  const own = `ide${attach.channel ?? 0}-${media === "cdrom" ? "cd" : "hd"}${attach.unit ?? 0}`;
  return number === 0 ? own : `${own}-${number}`;
}
