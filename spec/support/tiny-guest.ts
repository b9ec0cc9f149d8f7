/**
 * Guests of a few bytes of machine code: an ELF with a PVH note, entered in 32-bit protected mode without paging.
 *
 * xen.git docs/misc/pvh.pandoc; xen/include/public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY
 */

const LOAD_ADDRESS = 0x10_0000;
const HEADER = 64;
const PROGRAM_HEADER = 56;
const NOTE_AT = HEADER + 2 * PROGRAM_HEADER;
const NOTE_BYTES = 20;
const CODE_AT = 256;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PHYS32_ENTRY = 18;

/** An image whose code starts at 1 MiB. */
export function tinyGuest(code: readonly number[]): Uint8Array {
  const image = new Uint8Array(CODE_AT + code.length);
  const view = new DataView(image.buffer);
  const u16 = (at: number, value: number): void => {
    view.setUint16(at, value, true);
  };
  const u32 = (at: number, value: number): void => {
    view.setUint32(at, value, true);
  };
  const u64 = (at: number, value: number): void => {
    view.setBigUint64(at, BigInt(value), true);
  };
  // 64 bit, little-endian, version 1; an executable for x86-64.
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  u16(16, 2);
  u16(18, 62);
  u32(20, 1);
  u64(24, LOAD_ADDRESS);
  u64(32, HEADER);
  u16(52, HEADER);
  u16(54, PROGRAM_HEADER);
  u16(56, 2);
  const segment = (index: number, type: number, from: number, bytes: number): void => {
    const at = HEADER + index * PROGRAM_HEADER;
    u32(at, type);
    u32(at + 4, 7);
    u64(at + 8, from);
    u64(at + 16, LOAD_ADDRESS);
    u64(at + 24, LOAD_ADDRESS);
    u64(at + 32, bytes);
    u64(at + 40, bytes);
    u64(at + 48, 4);
  };
  segment(0, PT_LOAD, CODE_AT, code.length);
  segment(1, PT_NOTE, NOTE_AT, NOTE_BYTES);
  u32(NOTE_AT, 4);
  u32(NOTE_AT + 4, 4);
  u32(NOTE_AT + 8, PHYS32_ENTRY);
  image.set([0x58, 0x65, 0x6e, 0], NOTE_AT + 12);
  u32(NOTE_AT + 16, LOAD_ADDRESS);
  image.set(code, CODE_AT);
  return image;
}

/** The four bytes of a number in an instruction, from the lowest on. */
export function little32(value: number): readonly number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
}

/** `mov dx, port; mov al, value; out dx, al` */
export function outb(port: number, value: number): readonly number[] {
  return [0x66, 0xba, port & 0xff, port >> 8, 0xb0, value, 0xee];
}

/** `hlt; jmp` back to it, with interrupts off. */
export const HALT: readonly number[] = [0xfa, 0xf4, 0xeb, 0xfd];

/** `jmp` to itself. */
export const SPIN: readonly number[] = [0xfa, 0xeb, 0xfe];

/** `inc byte [address]` */
export function increment(address: number): readonly number[] {
  return [0xfe, 0x05, ...little32(address)];
}

/** Waits for a byte at COM1, takes it, and sends it back plus one, for ever: no interrupt in use. */
export const ECHO_PLUS_ONE: readonly number[] = [
  // wait: mov dx, 0x3fd; in al, dx; test al, 1; jz wait
  ...[0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7],
  // mov dx, 0x3f8; in al, dx; inc al; mov ah, al
  ...[0x66, 0xba, 0xf8, 0x03, 0xec, 0xfe, 0xc0, 0x88, 0xc4],
  // full: mov dx, 0x3fd; in al, dx; test al, 0x20; jz full
  ...[0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x20, 0x74, 0xf7],
  // mov dx, 0x3f8; mov al, ah; out dx, al; jmp wait
  ...[0x66, 0xba, 0xf8, 0x03, 0x88, 0xe0, 0xee, 0xeb, 0xdc],
];
