/** Numbers in command packets and their answers: all of SCSI is big-endian. */

export function getU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 0x100 + (bytes[at + 1] ?? 0);
}

export function getU24(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 0x1_0000 + getU16(bytes, at + 1);
}

export function getU32(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at) * 0x1_0000 + getU16(bytes, at + 2);
}

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function putU24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 16;
  putU16(bytes, at + 1, value & 0xffff);
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  putU16(bytes, at, value >>> 16);
  putU16(bytes, at + 2, value & 0xffff);
}

/** `text` in ASCII, filled up with blanks to `length`. */
export function putText(bytes: Uint8Array, at: number, length: number, text: string): void {
  for (let i = 0; i < length; i++) bytes[at + i] = i < text.length ? text.charCodeAt(i) & 0x7f : 0x20;
}
