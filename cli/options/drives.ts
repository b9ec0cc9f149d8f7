/** Drives: the images that `--drive`, `--hda` to `--hdd` and `--cdrom` name, and where those with an `if=` go. */
import type { MachineConfig } from "../../index.js";
import { usageError } from "../usage.js";
import type { Arguments } from "./arguments.js";
import { Settings } from "./settings.js";

export type DiskInput = NonNullable<MachineConfig["disks"]>[number];

/** A place on the IDE cables; what is undefined is for us to choose. */
export interface IdePlace {
  readonly channel: 0 | 1 | undefined;
  readonly unit: 0 | 1 | undefined;
}

export interface Drive {
  /** How messages name it: "--drive", "--hda". */
  readonly where: string;
  readonly id: string | undefined;
  readonly image: Omit<DiskInput, "id" | "attach">;
  /** "none" waits for a `--device`. */
  readonly interface: Interface;
  /** Of an IDE drive. */
  readonly place: IdePlace;
}

type Interface = "ide" | "virtio" | "xen" | "none";

const INTERFACES = ["ide", "virtio", "xen", "none"] as const;

const DRIVE_KEYS = [
  "file",
  "if",
  "index",
  "bus",
  "unit",
  "id",
  "format",
  "readonly",
  "media",
  "file.locking",
  "file.filename",
  "discard",
  "cache",
  "werror",
  "rerror",
] as const;

/** Images named by protocol rather than by path: none is read here. */
const PROTOCOL = /^(json|nbd(\+unix)?|https?|ftps?|ssh|iscsi|rbd|gluster|fat|vvfat|blkdebug):/;

const CHANNELS = 2;
const UNITS = 2;

/** The places of QEMU's short options, as indexes: 0 and 1 are the primary channel, 2 and 3 the secondary. */
const SHORT_OPTIONS = [
  { name: "hda", index: 0, media: "disk" },
  { name: "hdb", index: 1, media: "disk" },
  { name: "hdc", index: 2, media: "disk" },
  { name: "hdd", index: 3, media: "disk" },
  { name: "cdrom", index: 2, media: "cdrom" },
] as const;

/** All drives of a command line: those of `--drive` in order, then those of the short options. */
export function drives(args: Arguments): readonly Drive[] {
  const short = SHORT_OPTIONS.flatMap(({ name, index, media }) =>
    args.all(name).map((path): Drive => {
      const where = `--${name}`;
      return {
        where,
        id: undefined,
        image: { path: imagePath(where, path, media), media },
        interface: "ide",
        place: placeOf(index),
      };
    }),
  );
  return [...args.all("drive").map(parseDrive), ...short];
}

function parseDrive(text: string): Drive {
  const settings = Settings.parse("--drive", text, {
    known: DRIVE_KEYS,
    aliases: { "read-only": "readonly", locking: "file.locking" },
  });
  const choice = settings.choice("if", INTERFACES) ?? "ide";
  const media = settings.choice("media", ["disk", "cdrom"]);
  // What fails on the host is told to the guest, which is what "report" asks for.
  for (const key of ["werror", "rerror"]) settings.choice(key, ["report"]);
  const path = settings.text("file.filename") ?? settings.text("file");
  return {
    where: "--drive",
    id: settings.text("id"),
    image: {
      path: imagePath("--drive file", path, media),
      format: settings.text("format"),
      readOnly: settings.flag("readonly"),
      media,
      locking: settings.choice("file.locking", ["auto", "on", "off"]),
      discard: discard(settings),
      cache: settings.choice("cache", ["writeback", "none", "writethrough", "directsync", "unsafe"]),
    },
    interface: choice,
    place: idePlace(settings, choice),
  };
}

/** No path at all is a CD drive without a disc. */
function imagePath(where: string, path: string | undefined, media: "disk" | "cdrom" | undefined): string | undefined {
  if (path === undefined || path === "") {
    if (media === "cdrom") return undefined;
    throw where === "--drive file" ? usageError("--drive", "needs file=") : usageError(where, "needs a file");
  }
  const protocol = PROTOCOL.exec(path)?.[0];
  if (protocol === undefined) return path;
  throw usageError(where, `'${protocol}' is not read here: only files and block devices are`);
}

function idePlace(settings: Settings, choice: Interface): IdePlace {
  const index = settings.integer("index");
  const given = (["index", "bus", "unit"] as const).find((key) => settings.text(key) !== undefined);
  if (given !== undefined && choice !== "ide") {
    throw settings.error(given, `is for if=ide: a drive with if=${choice} has its place by ${PLACED_BY[choice]}`);
  }
  if (index === undefined) {
    return { channel: limited(settings, "bus", CHANNELS), unit: limited(settings, "unit", UNITS) };
  }
  if (given !== "index" || settings.text("bus") !== undefined || settings.text("unit") !== undefined) {
    throw settings.error("index", "cannot be given together with bus or unit");
  }
  if (index >= CHANNELS * UNITS)
    throw settings.error("index", `must be from 0 to ${CHANNELS * UNITS - 1}, not ${index}`);
  return placeOf(index);
}

const PLACED_BY = {
  virtio: "--device virtio-blk-pci,addr=",
  xen: "--device xen-disk,vdev=",
  none: "its --device",
} as const;

function placeOf(index: number): IdePlace {
  return { channel: index < UNITS ? 0 : 1, unit: index % UNITS === 0 ? 0 : 1 };
}

function limited(settings: Settings, key: string, limit: number): 0 | 1 | undefined {
  const number = settings.integer(key);
  if (number === undefined || number === 0 || number === 1) return number;
  throw settings.error(key, `must be from 0 to ${limit - 1}, not ${number}`);
}

function discard(settings: Settings): "ignore" | "unmap" | undefined {
  const choice = settings.choice("discard", ["ignore", "unmap", "off", "on"]);
  return choice === "off" ? "ignore" : choice === "on" ? "unmap" : choice;
}
