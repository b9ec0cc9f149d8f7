/** What a person gets to read when a guest cannot go on: why, the registers, the instruction, the last exits. */
import { PAGE_SIZE } from "../shared/brand.js";
import type { GuestMemory } from "../shared/memory.js";
import { kvmSegment } from "./host/kvm-abi.js";
import type { ExitHistory } from "./exit-history.js";
import type { Vcpu } from "./host/vcpu.js";

const INSTRUCTION_BYTES = 16;
/** Where power-on and INIT leave rip and the base of cs. [SDM] volume 3A, 10.1.4 */
const RESET_RIP = 0xfff0n;
const RESET_CS_BASE = 0xffff_0000;
/** For a shutdown on an AMD processor, which leaves nothing behind that KVM could keep. [APM] volume 2, 15.14.3 */
const AS_RESET = "as after a reset: on AMD processors KVM resets a vCPU that shuts down, and how it stood is lost";

export interface ReportParts {
  readonly index: number;
  readonly vcpu: Vcpu;
  readonly memory: GuestMemory;
  readonly history: ExitHistory;
  /** What waits for the vCPU, in lines. */
  readonly interrupts: readonly string[];
  /** Guest-physical address of a linear address, or -1. */
  translate(hi: number, lo: number): number;
}

/** KVM_INTERNAL_ERROR_*. */
const INTERNAL_ERRORS: Readonly<Record<number, string>> = {
  1: "an instruction that KVM cannot emulate",
  2: "simultaneous exceptions",
  3: "an event could not be delivered",
  4: "an unexpected exit of the processor",
};

export function describeInternalError(suberror: number): string {
  return `KVM internal error ${suberror} (${INTERNAL_ERRORS[suberror] ?? "unknown"})`;
}

/** Registers, instruction bytes and the last exits of one vCPU. */
export function describeVcpu(parts: ReportParts): string {
  const { vcpu } = parts;
  const sregs = vcpu.fetchSregs();
  const segment = (field: Uint8Array): string => {
    const view = kvmSegment.view(field.buffer).at(field.byteOffset);
    return `${hex(view.selector, 4)} base ${hex(view.base, 16)} limit ${hex(view.limit, 8)} dpl ${view.dpl}`;
  };
  const system = [
    `cs ${segment(sregs.cs)}`,
    `ss ${segment(sregs.ss)}`,
    `tr ${segment(sregs.tr)}`,
    `gdt ${hex(sregs.gdtBase, 16)} ${hex(sregs.gdtLimit, 4)}  idt ${hex(sregs.idtBase, 16)} ${hex(sregs.idtLimit, 4)}`,
    `cr0 ${hex(sregs.cr0, 8)} cr2 ${big(sregs.cr2)} cr3 ${hex(sregs.cr3, 16)} cr4 ${hex(sregs.cr4, 8)} efer ${hex(sregs.efer, 8)}`,
  ];
  const csBase = kvmSegment.view(sregs.cs.buffer).at(sregs.cs.byteOffset).base;
  const regs = vcpu.fetchRegs();
  const general = [
    `rip ${big(regs.rip)} rflags ${big(regs.rflags)}`,
    `rax ${big(regs.rax)} rbx ${big(regs.rbx)} rcx ${big(regs.rcx)} rdx ${big(regs.rdx)}`,
    `rsi ${big(regs.rsi)} rdi ${big(regs.rdi)} rbp ${big(regs.rbp)} rsp ${big(regs.rsp)}`,
    `r8  ${big(regs.r8)} r9  ${big(regs.r9)} r10 ${big(regs.r10)} r11 ${big(regs.r11)}`,
    `r12 ${big(regs.r12)} r13 ${big(regs.r13)} r14 ${big(regs.r14)} r15 ${big(regs.r15)}`,
  ];
  const exits = parts.history.lines();
  const lines = [
    `vCPU ${parts.index}:`,
    ...(exits.at(-1) === "shutdown" && regs.rip === RESET_RIP && csBase === RESET_CS_BASE ? [AS_RESET] : []),
    ...general,
    ...system,
    ...parts.interrupts,
    `code ${instruction(parts, BigInt.asUintN(64, regs.rip + BigInt(csBase)))}`,
    `last exits: ${exits.join(", ") || "none"}`,
  ];
  return lines.map((line, i) => (i === 0 ? line : `  ${line}`)).join("\n");
}

function instruction(parts: ReportParts, linear: bigint): string {
  const at = parts.translate(Number(linear >> 32n), Number(linear & 0xffff_ffffn));
  if (at < 0) return `at ${big(linear)} is not mapped`;
  const bytes = new Uint8Array(Math.min(INSTRUCTION_BYTES, PAGE_SIZE - (at % PAGE_SIZE)));
  if (!parts.memory.read(at, bytes)) return `at guest-physical ${hex(at, 16)} is not memory`;
  return Array.from(bytes, (byte) => hex(byte, 2)).join(" ");
}

/** `value` in hexadecimal, with zeros in front up to `digits`. */
export function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function big(value: bigint): string {
  return value.toString(16).padStart(16, "0");
}
