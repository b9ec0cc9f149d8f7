/** The MSR that takes the address of the hypercall page, as our CPUID leaf says: where Xen itself has it. */
export const HYPERCALL_MSR = 0x4000_0000;
