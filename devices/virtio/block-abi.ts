/**
 * Numbers and layouts of virtio's block device.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.2 "Block device"
 */

/** Device type. [VIRTIO] 5 */
export const BLOCK_TYPE = 2;

/** Numbers of feature bits. [VIRTIO] 5.2.3 */
export const BlockFeature = {
  sizeMax: 1,
  segMax: 2,
  geometry: 4,
  readOnly: 5,
  blockSize: 6,
  flush: 9,
  topology: 10,
  configWce: 11,
  discard: 13,
  writeZeroes: 14,
} as const;

/** Request types. [VIRTIO] 5.2.6 */
export const BlockType = { in: 0, out: 1, flush: 4, getId: 8, discard: 11, writeZeroes: 13 } as const;
/** Status byte of a request. [VIRTIO] 5.2.6 */
export const BlockStatus = { ok: 0, ioError: 1, unsupported: 2 } as const;

/** struct virtio_blk_req up to the data: type, reserved, sector. [VIRTIO] 5.2.6 */
export const Header = { type: 0, sector: 8, bytes: 16 } as const;
/** struct virtio_blk_discard_write_zeroes. [VIRTIO] 5.2.6 */
export const Range = { sector: 0, sectors: 8, flags: 12, bytes: 16 } as const;
/** The only flag of a range: zeroes may be made by giving the space back. */
export const RANGE_UNMAP = 0x1;
/** Bytes of the device's name. [VIRTIO] 5.2.6 */
export const ID_BYTES = 20;

/** struct virtio_blk_config. [VIRTIO] 5.2.4 */
export const Config = {
  capacity: 0,
  sizeMax: 8,
  segMax: 12,
  cylinders: 16,
  heads: 18,
  sectors: 19,
  blockSize: 20,
  physicalBlockExponent: 24,
  alignmentOffset: 25,
  minIoSize: 26,
  optIoSize: 28,
  writeback: 32,
  queueCount: 34,
  maxDiscardSectors: 36,
  maxDiscardSegments: 40,
  discardAlignment: 44,
  maxWriteZeroesSectors: 48,
  maxWriteZeroesSegments: 52,
  writeZeroesMayUnmap: 56,
  bytes: 60,
} as const;

/** Most sectors that one range may have: 2 GiB less a little, in sectors. */
export const MAX_RANGE_SECTORS = 0x3f_ffff;
/** Ranges in one request. */
export const MAX_RANGES = 1;
