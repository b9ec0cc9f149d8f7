/** What every boot protocol works with: guest RAM with its map of free places, and what the user asked for. */
import { VmmError } from "../../shared/errors.js";
import type { E820Entry } from "../../shared/layout.js";
import type { GuestMemory } from "../../shared/memory.js";
import { PAGE_SIZE } from "../../shared/brand.js";
import type { Gpa } from "../../shared/brand.js";
import { imageError } from "./image.js";
import type { ImageFiles, ImageSource } from "./image.js";
import { placeEntryPages } from "./registers.js";
import type { BootRegisters, EntryPages } from "./registers.js";
import type { Placement } from "./placement.js";

export interface BootContext {
  readonly memory: GuestMemory;
  readonly placement: Placement;
  readonly files: ImageFiles;
  readonly kernel: ImageSource;
  /** Path, or list of paths, as the user gave it. */
  readonly initrd: string | undefined;
  readonly cmdline: string;
  readonly e820: readonly E820Entry[];
  /** Where the ACPI root pointer is; undefined when the machine has no ACPI. */
  readonly rsdp: Gpa | undefined;
}

export interface BootState {
  readonly protocol: "linux64" | "linux32" | "multiboot" | "pvh";
  /** For vCPU 0. The others wait for their INIT and SIPI. */
  readonly registers: BootRegisters;
}

const encoder = new TextEncoder();

/** The command line as bytes, without the terminating zero. */
export function encodeCmdline(cmdline: string): Uint8Array {
  if (cmdline.includes("\0"))
    throw new VmmError("CONFIG", "Cannot pass this kernel command line: it has a zero byte in it");
  return encoder.encode(cmdline);
}

/** Puts a zero-terminated string into guest RAM. */
export function putString(context: BootContext, text: Uint8Array): Gpa {
  const bytes = new Uint8Array(text.length + 1);
  bytes.set(text);
  return putBytes(context, bytes);
}

/** Puts a structure into guest RAM, 16-byte aligned. */
export function putBytes(context: BootContext, bytes: Uint8Array): Gpa {
  const at = context.placement.takeLowest(bytes.length, 16);
  if (at === undefined) throw full(context);
  context.memory.write(at, bytes);
  return at;
}

/** Room for a structure of one page. */
export function takePage(context: BootContext): Gpa {
  const at = context.placement.takeLowest(PAGE_SIZE, PAGE_SIZE);
  if (at === undefined) throw full(context);
  return at;
}

export function takeEntryPages(context: BootContext): EntryPages {
  const pages = placeEntryPages(context.placement);
  if (pages === undefined) throw full(context);
  return pages;
}

function full(context: BootContext): VmmError {
  return imageError(context.kernel, "it leaves no guest RAM for the boot parameters");
}
