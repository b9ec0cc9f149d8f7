/**
 * Numbers that all virtio devices share.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2
 */

/** Bits of the device status. [VIRTIO] 2.1 */
export const Status = {
  acknowledge: 0x01,
  driver: 0x02,
  driverOk: 0x04,
  featuresOk: 0x08,
  needsReset: 0x40,
  failed: 0x80,
} as const;

/** Numbers of feature bits that belong to queues and transport. [VIRTIO] 6 */
export const Feature = { indirectDesc: 28, eventIdx: 29, version1: 32 } as const;

/** Flags of a descriptor. [VIRTIO] 2.7.5 */
export const DescFlag = { next: 0x1, write: 0x2, indirect: 0x4 } as const;
/** struct virtq_desc: address, length, flags, next. [VIRTIO] 2.7.5 */
export const Desc = { address: 0, length: 8, flags: 12, next: 14, bytes: 16 } as const;
/** In the available ring's flags: the driver wants no interrupts. [VIRTIO] 2.7.6 */
export const AVAIL_NO_INTERRUPT = 0x1;
/** In the used ring's flags: the device wants no notifications. [VIRTIO] 2.7.8 */
export const USED_NO_NOTIFY = 0x1;

/** A vector register that names no vector. [VIRTIO] 4.1.4.3 */
export const NO_VECTOR = 0xffff;
/** Longest that a chain's buffers may be together. [VIRTIO] 2.7.5.2 */
export const MAX_CHAIN_BYTES = 0x1_0000_0000;
