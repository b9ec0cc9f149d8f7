/**
 * ACPI tables on their way through firmware: blobs, and the script by which it allocates them, links them and sums them up
 * where it has put them. The tables are those of a direct boot.
 *
 * [LOADER] QEMU docs/specs/fw_cfg.rst names the file; commands and layouts: hw/acpi/bios-linker-loader.c, comments there
 */
import { layOut } from "../acpi/tables.js";
import type { AcpiTable } from "../acpi/tables.js";

/** Names that SeaBIOS and OVMF know; the script refers to the blobs by them. */
export const LoaderFile = { script: "etc/table-loader", rsdp: "etc/acpi/rsdp", tables: "etc/acpi/tables" } as const;

/** [LOADER] A command is a 32-bit number, then its arguments; file names take 56 bytes. */
const COMMAND_BYTES = 128;
const NAME_BYTES = 56;
const Command = { allocate: 1, addPointer: 2, addChecksum: 3 } as const;
/** [LOADER] Where an allocation may be: anywhere high, or in the BIOS's segment, where the RSDP is looked for. */
const Zone = { high: 1, fseg: 2 } as const;
const TABLES_ALIGNMENT = 64;
const RSDP_ALIGNMENT = 16;

export interface LoaderFiles {
  readonly script: Uint8Array;
  readonly rsdp: Uint8Array;
  readonly tables: Uint8Array;
}

/** What firmware is given. A pointer's field holds the target's offset in its blob, to which the blob's address is added. */
export function buildLoaderFiles(tables: readonly AcpiTable[]): LoaderFiles {
  const [rsdp] = tables.filter(({ name }) => name === "RSDP");
  if (rsdp === undefined) throw new Error("There is no ACPI root pointer");
  const others = tables.filter((table) => table !== rsdp);
  const { bytes, places } = layOut(others);
  const blobs = { rsdp: rsdp.bytes.slice(), tables: bytes };
  const commands: Uint8Array[] = [
    allocate(LoaderFile.rsdp, RSDP_ALIGNMENT, Zone.fseg),
    allocate(LoaderFile.tables, TABLES_ALIGNMENT, Zone.high),
  ];
  const sums: Uint8Array[] = [];
  for (const table of tables) {
    const inRoot = table === rsdp;
    const file = inRoot ? LoaderFile.rsdp : LoaderFile.tables;
    const blob = inRoot ? blobs.rsdp : blobs.tables;
    const base = inRoot ? 0 : placeOf(places, table.name);
    for (const { offset, size, target } of table.pointers) {
      // The upper half of an 8-byte pointer stays 0: blobs are below 4 GiB.
      new DataView(blob.buffer).setUint32(base + offset, placeOf(places, target), true);
      commands.push(addPointer(file, base + offset, size));
    }
    for (const { offset, length } of table.checksums) {
      sums.push(addChecksum(file, { at: base + offset, start: base, length }));
    }
  }
  // All pointers come before all checksums, which cover them.
  return { ...blobs, script: concatenate([...commands, ...sums]) };
}

function allocate(file: string, alignment: number, zone: number): Uint8Array {
  return command(Command.allocate, (view, bytes) => {
    putName(bytes, 4, file);
    view.setUint32(4 + NAME_BYTES, alignment, true);
    view.setUint8(8 + NAME_BYTES, zone);
  });
}

/** Every pointer of ours is to something in the tables' blob. */
function addPointer(file: string, offset: number, size: number): Uint8Array {
  return command(Command.addPointer, (view, bytes) => {
    putName(bytes, 4, file);
    putName(bytes, 4 + NAME_BYTES, LoaderFile.tables);
    view.setUint32(4 + 2 * NAME_BYTES, offset, true);
    view.setUint8(8 + 2 * NAME_BYTES, size);
  });
}

interface Sum {
  /** Where the checksum goes, and what it covers. */
  readonly at: number;
  readonly start: number;
  readonly length: number;
}

function addChecksum(file: string, { at, start, length }: Sum): Uint8Array {
  return command(Command.addChecksum, (view, bytes) => {
    putName(bytes, 4, file);
    [at, start, length].forEach((value, index) => {
      view.setUint32(4 + NAME_BYTES + index * 4, value, true);
    });
  });
}

function command(number: number, fill: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(COMMAND_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number, true);
  fill(view, bytes);
  return bytes;
}

function putName(bytes: Uint8Array, offset: number, name: string): void {
  for (let i = 0; i < name.length; i++) bytes[offset + i] = name.charCodeAt(i);
}

function placeOf(places: ReadonlyMap<string, number>, name: string): number {
  const place = places.get(name);
  if (place === undefined) throw new Error(`There is no ACPI table ${name}`);
  return place;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
