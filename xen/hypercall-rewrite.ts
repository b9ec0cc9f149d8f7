/**
 * The userspace transport for kernels without a hypercall page: since Linux 6.13 (and 6.12.7, 6.6.68, 6.1.122; XSA-466)
 * all hypercalls go through two tiny functions, `vmmcall; ret` and `vmcall; ret`. A KVM without Xen support would answer
 * those instructions itself, so they are rewritten to the `out` that the hypercall page's stubs leave the guest by: as
 * many bytes, and the hypercall's number is in eax already.
 *
 * A kernel writes MSR_EFER soon after it has reached its own addresses and long before its first hypercall. That is the
 * moment: its image lies around the instruction, uncompressed, in one piece of memory.
 *
 * [HYPERCALL] xen.git xen/include/public/arch-x86/xen-x86_64.h; [SDM] volume 3, 31.3; [APM] volume 3, chapter 4
 */
import type { SharedArena } from "../shared/arena.js";
import type { GuestMemory, MemoryRegion } from "../shared/memory.js";
import { HYPERCALL_PORT } from "./hypercall-page.js";

/** Little-endian, in the low 24 bits of a word. */
const VMCALL = 0xc1_010f;
const VMMCALL = 0xd9_010f;
/** `out imm8, eax; nop` */
const OUT_NOP = 0x90_00e7 | (HYPERCALL_PORT << 8);
const OPCODE_BITS = 0xff_ffff;
/** `endbr64`, at the start of functions that may be called indirectly. */
const ENDBR64 = 0xfa1e_0ff3 | 0;
/** What ends the function: `ret`, or a jump to the kernel's return thunk. */
const RET = 0xc3;
const JMP_REL32 = 0xe9;

/** Functions start at multiples of it. */
const FUNCTION_ALIGNMENT = 16;
/** The two functions are neighbours in one source file. */
const MAX_DISTANCE = 64;
/** Kernel images start at multiples of it, and are at most so large. */
const IMAGE_ALIGNMENT = 2 * 1024 * 1024;
const IMAGE_BYTES = 96 * 1024 * 1024;

const NONE = -1;

/** Places of the two instructions, as offsets. */
interface Pair {
  readonly vmcall: number;
  readonly vmmcall: number;
}

export class HypercallRewrite {
  readonly #memory: GuestMemory;
  /** Guest-physical address of the `vmcall` rewritten last, -1 for none. */
  readonly #site: Float64Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, memory: GuestMemory) {
    this.#memory = memory;
    this.#site = arena.float64(1);
  }

  /** Another kernel may come: where the last one was rewritten says nothing about it, even if both lie close together. */
  reset(): void {
    this.#site[0] = NONE;
  }

  /**
   * A kernel runs at guest-physical address `at`: rewrites its hypercall functions, if it has such. The number of
   * functions rewritten, 0 when there are none or it was done before.
   */
  rewriteAround(at: number): number {
    const start = Math.floor(at / IMAGE_ALIGNMENT) * IMAGE_ALIGNMENT;
    const site = this.#site[0] ?? NONE;
    // Every processor of the kernel comes by here.
    if (site >= start && site < start + IMAGE_BYTES && this.#opcodeAt(site) === OUT_NOP) return 0;
    const region = this.#memory.region(at, 1);
    if (region === undefined) return 0;
    const first = Math.max(0, start - region.gpa);
    const pair = findPair(region, first, Math.min(region.size, start + IMAGE_BYTES - region.gpa));
    if (pair === undefined) return 0;
    for (const offset of [pair.vmmcall, pair.vmcall]) writeOpcode(region, offset);
    this.#site[0] = region.gpa + pair.vmcall;
    return 2;
  }

  #opcodeAt(at: number): number {
    const region = this.#memory.region(at, 4);
    return region === undefined ? 0 : region.view.getUint32(at - region.gpa, true) & OPCODE_BITS;
  }
}

/** The one neighbouring pair of functions between two offsets; both must be there, as other code has one of them alone. */
function findPair(region: MemoryRegion, start: number, end: number): Pair | undefined {
  const { words } = region;
  let vmcall = NONE;
  let vmmcall = NONE;
  for (let at = start; at + FUNCTION_ALIGNMENT <= end; at += FUNCTION_ALIGNMENT) {
    const index = at >>> 2;
    const word = words[index] ?? 0;
    const found = word === ENDBR64 ? at + 4 : at;
    const opcode = (word === ENDBR64 ? (words[index + 1] ?? 0) : word) & OPCODE_BITS;
    if (opcode !== VMCALL && opcode !== VMMCALL) continue;
    const next = region.bytes[found + 3];
    if (next !== RET && next !== JMP_REL32) continue;
    if (opcode === VMCALL) vmcall = found;
    else vmmcall = found;
    if (vmcall >= 0 && vmmcall >= 0 && Math.abs(vmcall - vmmcall) <= MAX_DISTANCE) return { vmcall, vmmcall };
  }
  return undefined;
}

/** Keeps the byte after the instruction. Offsets are multiples of 4: one store, so that no vCPU sees half of it. */
function writeOpcode(region: MemoryRegion, offset: number): void {
  const index = offset >>> 2;
  Atomics.store(region.words, index, ((region.words[index] ?? 0) & ~OPCODE_BITS) | OUT_NOP);
}
