/** What a report of a triple fault has of the guest that ran into its `ud2`. */

/** The instruction's bytes; on an AMD processor's KVM, which has reset the vCPU by then, that they are lost. */
export const AT_UD2 = /\n {2}(code 0f 0b|as after a reset: )/;
