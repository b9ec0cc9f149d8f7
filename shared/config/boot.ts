/** How the guest starts: with a kernel that we load, or with firmware that boots from its disks. */
import * as v from "valibot";
import { configError } from "./config-error.js";
import { flag, integer, path, text } from "./fields.js";
import type { DeepReadonly } from "./fields.js";

/** QEMU's on a PC: hard disk, CD, network; there is no floppy here, which comes first there. */
const DEFAULT_ORDER = "cdn";
/** CMOS registers 0x38 and 0x3d have four bits for each, and four bits are the boot flags. */
const MAX_ORDER = 3;
/** What SeaBIOS waits where nobody says how long. */
const DEFAULT_MENU_TIMEOUT_MS = 2500;
/** fw_cfg carries it in 16 bits. */
const MAX_MENU_TIMEOUT_MS = 0xffff;
/** QEMU's. */
const MAX_RETRY_MS = 0xffff;

/** Kinds of devices to boot from, a letter each: c disk, d CD, n network, a floppy. */
const bootOrder = v.pipe(
  text(16),
  v.regex(/^[acdn]+$/, "must be made of the letters c (disk), d (CD), n (network) and a (floppy)"),
  v.check((value) => new Set(value).size === value.length, "must have each letter only once"),
  v.maxLength(MAX_ORDER, `must have at most ${MAX_ORDER} letters: CMOS memory has no room for more`),
);

export const bootSchema = v.strictObject(
  {
    /** bzImage, or ELF with a PVH note or a multiboot header. Firmware starts where there is none. */
    kernel: v.optional(path()),
    /** A path; for a multiboot kernel modules, `path arguments` separated by commas, `,,` standing for a comma. */
    initrd: v.optional(path()),
    cmdline: v.optional(text(65_536)),
    /** The firmware's image; the system's SeaBIOS where absent. */
    bios: v.optional(path()),
    /** Kinds of devices in the order in which firmware tries them. */
    order: v.optional(bootOrder, DEFAULT_ORDER),
    /** Instead of `order`, from power-on to the first reset. */
    once: v.optional(bootOrder),
    /** Offers a menu of the devices that can be booted from. */
    menu: flag(false),
    /** How long the menu waits to be asked for. */
    menuTimeoutMs: v.optional(integer(0, MAX_MENU_TIMEOUT_MS), DEFAULT_MENU_TIMEOUT_MS),
    /** Tries nothing but devices with a boot index. */
    strict: flag(false),
    /** Starts anew so long after nothing could be booted; stays there for ever where absent. */
    retryMs: v.optional(integer(0, MAX_RETRY_MS)),
  },
  "must be an object",
);

export interface DirectBoot {
  readonly kind: "direct";
  readonly kernel: string;
  readonly initrd: string | undefined;
  readonly cmdline: string;
}

export interface FirmwareBoot {
  readonly kind: "firmware";
  /** Path of the image; the system's own where undefined. */
  readonly bios: string | undefined;
  readonly order: string;
  /** What stands in for `order` until the first reset. */
  readonly once: string | undefined;
  readonly menu: boolean;
  readonly menuTimeoutMs: number;
  readonly strict: boolean;
  readonly retryMs: number | undefined;
}

export type BootConfig = DirectBoot | FirmwareBoot;

/** What only firmware looks at is checked, and has no effect, where a kernel is loaded without it. */
export function resolveBoot(given: DeepReadonly<v.InferOutput<typeof bootSchema>>): BootConfig {
  const { kernel, initrd, cmdline, bios, order, once, menu, menuTimeoutMs, strict, retryMs } = given;
  if (kernel === undefined) {
    if (initrd !== undefined) throw configError("boot.initrd", "needs a kernel");
    if (cmdline !== undefined && cmdline !== "") throw configError("boot.cmdline", "needs a kernel");
    return { kind: "firmware", bios, order, once, menu, menuTimeoutMs, strict, retryMs };
  }
  if (bios !== undefined)
    throw configError("boot.bios", "is not used where a kernel is given, which starts without firmware");
  return { kind: "direct", kernel, initrd, cmdline: cmdline ?? "" };
}
