/** KVM memory slots of a machine: RAM blocks first, Xen's special pages, then overlay pages that have no RAM behind. */
export const MemorySlot = {
  ram: (block: number): number => block,
  special: 500,
  overlay: (page: number): number => 501 + page,
} as const;
