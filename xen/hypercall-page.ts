/**
 * The hypercall page: a stub per hypercall that leaves the guest. On the userspace transport it does so by a private I/O
 * port, on the kernel transport by the processor's own instruction for that.
 *
 * [HYPERCALL] xen.git xen/include/public/arch-x86/xen-x86_64.h and xen-x86_32.h: 32 bytes a stub, called with the
 * arguments in registers (rdi rsi rdx r10 r8 r9, or ebx ecx edx esi edi ebp), the result in rax. The stubs mean the same
 * in 32-bit and 64-bit code. A port's exit is taken before the instruction ends, so rax is ours to set.
 */

/** Private port of the stubs: nothing of a PC lives there. A 32-bit write is a hypercall, its value the number. */
export const HYPERCALL_PORT = 0xe6;

const STUBS = 128;
const STUB_SIZE = 32;
/** iret needs no hypercall in an HVM guest: Xen puts an undefined instruction here. */
const IRET = 23;

/** Opcodes. */
const MOV_EAX_IMM32 = 0xb8;
const RET = 0xc3;
const INT3 = 0xcc;
const UD2 = [0x0f, 0x0b] as const;

/** Instructions by which stubs leave the guest: that of the userspace transport, Intel's and AMD's. */
export const StubCall = {
  out: [0xe7, HYPERCALL_PORT],
  vmcall: [0x0f, 0x01, 0xc1],
  vmmcall: [0x0f, 0x01, 0xd9],
} as const;

/** Writes the 4 KiB page. */
export function writeHypercallPage(target: Uint8Array, call: keyof typeof StubCall): void {
  target.fill(INT3, 0, STUBS * STUB_SIZE);
  for (let number = 0; number < STUBS; number++) {
    const code = number === IRET ? UD2 : [MOV_EAX_IMM32, number, 0, 0, 0, ...StubCall[call], RET];
    target.set(code, number * STUB_SIZE);
  }
}
