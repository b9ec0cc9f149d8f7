/**
 * The notes of an ELF core file that tell a vCPU's registers.
 *
 * [COREDUMP] <linux/elfcore.h> struct elf_prstatus and <asm/user_64.h> struct user_regs_struct, as gdb reads them
 * [QEMU-NOTE] the note "QEMU" of QEMU's dump-guest-memory: segments and control registers, from which `crash` finds where
 * the kernel lies
 */
import { GENERAL_REGISTERS, SEGMENT_REGISTERS } from "./registers.js";
import type { DescriptorTable, GeneralRegister, SegmentRegister, VcpuRegisters } from "./registers.js";

const NT_PRSTATUS = 1;
/** [COREDUMP] on x86-64, in bytes. */
const PRSTATUS_SIZE = 336;
const PR_PID = 32;
const PR_REG = 112;

/** [QEMU-NOTE] in bytes: version and size, 18 registers, 10 segments, 5 control registers, the kernel's GS base. */
const QEMU_STATE_SIZE = 440;
const QEMU_STATE_VERSION = 1;
const QEMU_SEGMENT_SIZE = 24;

/** The notes of all vCPUs, in order. */
export function registerNotes(vcpus: readonly VcpuRegisters[]): Uint8Array<ArrayBuffer> {
  const notes = [
    ...vcpus.map((registers, index) => note("CORE", NT_PRSTATUS, prstatus(registers, index))),
    ...vcpus.map((registers) => note("QEMU", 0, qemuState(registers))),
  ];
  const all = new Uint8Array(notes.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const bytes of notes) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}

/** A header of three words, the name with its NUL, the content; both padded to 4 bytes. */
function note(name: string, type: number, content: Uint8Array): Uint8Array {
  const nameSize = name.length + 1;
  const contentAt = 12 + Math.ceil(nameSize / 4) * 4;
  const bytes = new Uint8Array(contentAt + Math.ceil(content.length / 4) * 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, nameSize, true);
  view.setUint32(4, content.length, true);
  view.setUint32(8, type, true);
  bytes.set(new TextEncoder().encode(name), 12);
  bytes.set(content, contentAt);
  return bytes;
}

/** General registers in the order of user_regs_struct, up to where others come between. */
const USER_REGS: readonly GeneralRegister[] = [
  ...(["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8"] as const),
  ...(["rax", "rcx", "rdx", "rsi", "rdi"] as const),
];
/** orig_rax of a thread that is not in a system call. */
const NO_SYSTEM_CALL = 0xffff_ffff_ffff_ffffn;

function prstatus({ general, segments }: VcpuRegisters, index: number): Uint8Array {
  const { cs, ss, fs, gs, ds, es } = segments;
  const view = new DataView(new ArrayBuffer(PRSTATUS_SIZE));
  // Debuggers take 0 for "no thread".
  view.setUint32(PR_PID, index + 1, true);
  const words = [
    ...USER_REGS.map((name) => general[name]),
    NO_SYSTEM_CALL,
    general.rip,
    BigInt(cs.selector),
    general.rflags,
    general.rsp,
    BigInt(ss.selector),
    fs.base,
    gs.base,
    ...[ds, es, fs, gs].map(({ selector }) => BigInt(selector)),
  ];
  words.forEach((word, i) => {
    view.setBigUint64(PR_REG + i * 8, word, true);
  });
  return new Uint8Array(view.buffer);
}

function qemuState(registers: VcpuRegisters): Uint8Array {
  const view = new DataView(new ArrayBuffer(QEMU_STATE_SIZE));
  view.setUint32(0, QEMU_STATE_VERSION, true);
  view.setUint32(4, QEMU_STATE_SIZE, true);
  let at = 8;
  const word = (value: bigint): void => {
    view.setBigUint64(at, value, true);
    at += 8;
  };
  const segment = ({ selector, limit, flags, base }: SegmentRegister): void => {
    view.setUint32(at, selector, true);
    view.setUint32(at + 4, limit, true);
    view.setUint32(at + 8, flags, true);
    view.setBigUint64(at + 16, base, true);
    at += QEMU_SEGMENT_SIZE;
  };
  const table = ({ base, limit }: DescriptorTable): void => {
    segment({ selector: 0, limit, flags: 0, base });
  };
  for (const name of GENERAL_REGISTERS) word(registers.general[name]);
  for (const name of SEGMENT_REGISTERS) segment(registers.segments[name]);
  table(registers.gdt);
  table(registers.idt);
  for (const value of [registers.cr0, 0n, registers.cr2, registers.cr3, registers.cr4]) word(value);
  word(registers.kernelGsBase);
  return new Uint8Array(view.buffer);
}
