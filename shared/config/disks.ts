/** Disks: what is behind them, and where the guest sees them. */
import * as v from "valibot";
import { configError } from "./config-error.js";
import { flag, integer, name, oneOf, path } from "./fields.js";
import type { DeepReadonly } from "./fields.js";
import { uniqueIds } from "./ids.js";
import { slotSchema } from "./pci-slots.js";
import type { PciSlots } from "./pci-slots.js";
import { parseVdev, xvdName } from "./vdev.js";
import type { Vdev } from "./vdev.js";

/** Characters of a serial number, in ATA's IDENTIFY and in virtio-blk's ID alike. */
const MAX_SERIAL = 20;
export const MAX_BOOT_INDEX = 0x7fff_ffff;
const IDE_CHANNELS = [0, 1] as const;
const IDE_UNITS = [0, 1] as const;

const zeroOrOne = v.picklist([0, 1], "must be 0 or 1");

const attach = v.variant(
  "kind",
  [
    v.strictObject({ kind: v.literal("xen"), vdev: v.optional(name()) }),
    /** Primary or secondary channel, master or slave; the first free place where not said. */
    v.strictObject({ kind: v.literal("ide"), channel: v.optional(zeroOrOne), unit: v.optional(zeroOrOne) }),
    v.strictObject({ kind: v.literal("virtio"), slot: v.optional(slotSchema) }),
  ],
  'must be { kind: "xen", vdev }, { kind: "ide", channel, unit } or { kind: "virtio", slot }',
);

const format = v.pipe(
  v.string("must be text"),
  v.check(
    (value) => value === "raw",
    ({ input }) =>
      `only raw images are read directly: serve ${JSON.stringify(input)} with qemu-nbd and attach the nbd device it gives`,
  ),
  v.transform(() => "raw" as const),
);

/** Rank among what firmware boots from, the lowest first. */
export const bootIndexSchema = integer(0, MAX_BOOT_INDEX);

export const diskSchema = v.strictObject({
  id: v.optional(name()),
  /** May be left out for an IDE CD drive: it is empty then. */
  path: v.optional(path()),
  format: v.optional(format, "raw"),
  readOnly: flag(false),
  /** "auto" locks where the file system can, "on" insists, "off" does not. */
  locking: v.optional(oneOf(["auto", "on", "off"]), "auto"),
  discard: v.optional(oneOf(["ignore", "unmap"]), "ignore"),
  /** As in QEMU: "none" and "directsync" bypass the host's page cache, "unsafe" ignores flushes. */
  cache: v.optional(oneOf(["writeback", "none", "writethrough", "directsync", "unsafe"]), "writeback"),
  media: v.optional(oneOf(["disk", "cdrom"]), "disk"),
  attach: v.optional(attach, { kind: "xen" }),
  bootIndex: v.optional(bootIndexSchema),
  /** What the guest reads as the drive's serial number. */
  serial: v.optional(
    v.pipe(
      v.string("must be text"),
      v.regex(
        new RegExp(`^[\\x20-\\x7e]{0,${MAX_SERIAL}}$`),
        `must be at most ${MAX_SERIAL} printable ASCII characters`,
      ),
    ),
  ),
});

type Given = DeepReadonly<v.InferOutput<typeof diskSchema>>;

export interface XenAttachment {
  readonly kind: "xen";
  readonly vdev: Vdev;
}

export interface IdeAttachment {
  readonly kind: "ide";
  readonly channel: 0 | 1;
  readonly unit: 0 | 1;
}

export interface VirtioAttachment {
  readonly kind: "virtio";
  /** PCI device number. */
  readonly slot: number;
}

/** How the guest sees a disk. */
export type DiskAttachment = XenAttachment | IdeAttachment | VirtioAttachment;

export type DiskConfig = Omit<Given, "id" | "attach" | "path"> & {
  readonly id: string;
  /** Undefined: a CD drive without a disc. */
  readonly path: string | undefined;
  readonly attach: DiskAttachment;
};

/**
 * Names every disk and gives each its own place: the lowest free xvd, IDE place or PCI slot where none was asked for.
 *
 * Places that were asked for are given out before any other.
 */
export function resolveDisks(disks: readonly Given[], slots: PciSlots): readonly DiskConfig[] {
  const ids = uniqueIds("disks", "disk", disks);
  const named = disks.map((disk, index) => ({ ...disk, id: ids[index] ?? "" }));
  for (const [index, disk] of named.entries()) checkDisk(disk, index);
  const vdevs = new XenNames(named);
  const places = new IdePlaces(named);
  return named.map((disk, index) => {
    // A CD is read-only whatever the image is.
    const readOnly = disk.readOnly || disk.media === "cdrom";
    const attachment = ((): DiskAttachment => {
      switch (disk.attach.kind) {
        case "xen":
          return { kind: "xen", vdev: vdevs.of(index) };
        case "ide":
          return { kind: "ide", ...places.of(index) };
        case "virtio":
          return { kind: "virtio", slot: slots.of(`disks.${index}.attach.slot`) };
      }
    })();
    return { ...disk, path: disk.path, readOnly, attach: attachment };
  });
}

function checkDisk({ attach: { kind }, media, path: image, serial, bootIndex }: Given, index: number): void {
  const where = `disks.${index}`;
  if (image === undefined && !(kind === "ide" && media === "cdrom"))
    throw configError(`${where}.path`, "must be given");
  if (kind === "virtio" && media === "cdrom")
    throw configError(`${where}.media`, "there are no CD drives on virtio: attach it by ide or xen");
  if (kind !== "xen") return;
  if (serial !== undefined) throw configError(`${where}.serial`, "a Xen disk has no serial number");
  if (bootIndex !== undefined)
    throw configError(`${where}.bootIndex`, "firmware does not boot from a Xen disk: attach the image by ide as well");
}

type Named = Given & { readonly id: string };

/** Who has which Xen block device. */
class XenNames {
  readonly #taken = new Map<number, string>();
  readonly #of: readonly (Vdev | undefined)[];

  constructor(disks: readonly Named[]) {
    const asked = disks.map((disk, index) => this.#asked(disk, index));
    this.#of = disks.map((disk, index) =>
      disk.attach.kind === "xen" ? (asked[index] ?? this.#free(disk.id)) : undefined,
    );
  }

  of(index: number): Vdev {
    const vdev = this.#of[index];
    if (vdev === undefined) throw new RangeError(`Disk ${index} is no Xen disk`);
    return vdev;
  }

  #asked({ attach: how, id }: Named, index: number): Vdev | undefined {
    if (how.kind !== "xen" || how.vdev === undefined) return undefined;
    const path = `disks.${index}.attach.vdev`;
    const vdev = parseVdev(how.vdev);
    if (vdev === undefined) {
      throw configError(
        path,
        `${JSON.stringify(how.vdev)} is not a Xen block device: xvda, xvdb3, sda to sdp, hda to hdd, d0p1`,
      );
    }
    const other = this.#taken.get(vdev.number);
    if (other !== undefined) throw configError(path, `${how.vdev} is taken by the disk ${JSON.stringify(other)}`);
    this.#taken.set(vdev.number, id);
    return vdev;
  }

  #free(id: string): Vdev {
    for (let disk = 0; ; disk++) {
      const vdev = parseVdev(xvdName(disk));
      if (vdev === undefined) throw configError("disks", "there are more disks than Xen has names for");
      if (this.#taken.has(vdev.number)) continue;
      this.#taken.set(vdev.number, id);
      return vdev;
    }
  }
}

type IdePlace = Pick<IdeAttachment, "channel" | "unit">;

/** Who is where on the two IDE cables. */
class IdePlaces {
  readonly #taken = new Map<string, string>();
  readonly #of: readonly (IdePlace | undefined)[];

  constructor(disks: readonly Named[]) {
    const asked = disks.map((disk, index) => this.#asked(disk, index));
    this.#of = disks.map((disk, index) =>
      disk.attach.kind === "ide" ? (asked[index] ?? this.#free(disk, index)) : undefined,
    );
  }

  of(index: number): IdePlace {
    const place = this.#of[index];
    if (place === undefined) throw new RangeError(`Disk ${index} is no IDE disk`);
    return place;
  }

  #asked({ attach: how, id }: Named, index: number): IdePlace | undefined {
    if (how.kind !== "ide" || how.channel === undefined || how.unit === undefined) return undefined;
    const place = { channel: how.channel, unit: how.unit };
    const other = this.#taken.get(nameOf(place));
    if (other !== undefined) {
      throw configError(
        `disks.${index}.attach`,
        `the IDE ${nameOf(place)} is taken by the disk ${JSON.stringify(other)}`,
      );
    }
    this.#taken.set(nameOf(place), id);
    return place;
  }

  #free({ attach: how, id }: Named, index: number): IdePlace {
    for (const channel of IDE_CHANNELS) {
      for (const unit of IDE_UNITS) {
        const place = { channel, unit };
        if (how.kind !== "ide" || (how.channel ?? channel) !== channel || (how.unit ?? unit) !== unit) continue;
        if (this.#taken.has(nameOf(place))) continue;
        this.#taken.set(nameOf(place), id);
        return place;
      }
    }
    throw configError(`disks.${index}.attach`, "no IDE place is free there: two channels have two drives each");
  }
}

function nameOf({ channel, unit }: IdePlace): string {
  return `${channel === 0 ? "primary" : "secondary"} ${unit === 0 ? "master" : "slave"}`;
}
