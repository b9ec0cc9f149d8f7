/**
 * Writes the archive that Linux unpacks as its initial root file system: cpio's "newc" form.
 *
 * [INITRAMFS] linux.git Documentation/driver-api/early-userspace/buffer-format.rst
 */

/** A file of the archive. Paths have no leading slash; directories come before what is in them. */
export type CpioEntry =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly data: Uint8Array; readonly executable?: boolean }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string };

const MAGIC = "070701";
const TRAILER = "TRAILER!!!";
/** Header, name and data each start at a multiple of so many bytes. */
const ALIGNMENT = 4;
/** As in <sys/stat.h>. */
const Mode = { directory: 0o040755, file: 0o100644, program: 0o100755, symlink: 0o120777 } as const;

/** [INITRAMFS] "cpio_header": where the sizes of content and name are, in digits. */
const Field = { contentSize: 54, nameSize: 94 } as const;
const DIGITS = 8;
const HEADER_BYTES = 110;

/** The archive's bytes: the same for the same entries, whenever it is made. All files belong to root. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => record(entry.path, modeOf(entry), index + 1, contentOf(entry)));
  return Buffer.concat([...parts, ...record(TRAILER, 0, 0, Buffer.alloc(0))]);
}

/**
 * An archive of others without the files whose paths match. What stays is the same, byte for byte.
 *
 * @throws RangeError where the archive is none of the "newc" form
 */
export function cpioWithout(archive: Buffer, unwanted: RegExp): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; ;) {
    const magic = archive.toString("latin1", at, at + MAGIC.length);
    if (magic !== MAGIC)
      throw new RangeError(`There is no file of a cpio archive at ${at}, but ${JSON.stringify(magic)}`);
    const number = (offset: number): number =>
      Number.parseInt(archive.toString("latin1", at + offset, at + offset + DIGITS), 16);
    const nameSize = number(Field.nameSize);
    const content = aligned(at + HEADER_BYTES + nameSize);
    const end = aligned(content + number(Field.contentSize));
    const path = archive.toString("latin1", at + HEADER_BYTES, at + HEADER_BYTES + nameSize - 1);
    if (!unwanted.test(path)) kept.push(archive.subarray(at, end));
    if (path === TRAILER) return Buffer.concat(kept);
    at = end;
  }
}

function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}

function modeOf(entry: CpioEntry): number {
  if (entry.kind === "file" && entry.executable === true) return Mode.program;
  return Mode[entry.kind];
}

function contentOf(entry: CpioEntry): Uint8Array {
  switch (entry.kind) {
    case "directory":
      return Buffer.alloc(0);
    case "file":
      return entry.data;
    case "symlink":
      return Buffer.from(entry.target);
  }
}

/** [INITRAMFS] "cpio_header": thirteen fields of 8 hexadecimal digits, after the magic. */
function record(path: string, mode: number, inode: number, content: Uint8Array): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const links = mode === Mode.directory ? 2 : 1;
  // ino mode uid gid nlink mtime filesize maj min rmaj rmin namesize chksum
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(MAGIC + fields.map((field) => field.toString(16).padStart(8, "0")).join(""));
  return [header, name, padding(header.length + name.length), content, padding(content.length)];
}

function padding(length: number): Uint8Array {
  return Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
}
