/**
 * Bits and numbers of the ATA register interface.
 *
 * [ATA-6] T13/1410D AT Attachment with Packet Interface 6, 7 "Interface register definitions"
 */

/** Offsets from the channel's command block; 1 and 7 mean something else when written. [ATA-6] 7.1 */
export const TaskRegister = {
  data: 0,
  errorFeatures: 1,
  count: 2,
  lbaLow: 3,
  lbaMid: 4,
  lbaHigh: 5,
  device: 6,
  statusCommand: 7,
} as const;

/** [ATA-6] 7.15 */
export const Status = { err: 0x01, drq: 0x08, dsc: 0x10, df: 0x20, drdy: 0x40, bsy: 0x80 } as const;
/** What a disk shows at rest. */
export const READY = Status.drdy | Status.dsc;

/** Error register. [ATA-6] 7.9 */
export const AtaError = { abrt: 0x04, idnf: 0x10, unc: 0x40 } as const;
/** Error register after diagnostics: this device passed. [ATA-6] 8.9 */
export const DIAGNOSTICS_PASSED = 0x01;

/** [ATA-6] 7.7, and 6.2 for the address bits */
export const DeviceBits = { head: 0x0f, unit: 0x10, lba: 0x40 } as const;

/** Device control. [ATA-6] 7.8 */
export const Control = { nien: 0x02, srst: 0x04, hob: 0x80 } as const;

/** Interrupt reason, in the sector count register of packet devices. [ATA-6] 7.14 */
export const Reason = { packet: 0x01, toHost: 0x02, status: 0x03 } as const;

/** LBA mid and high after a reset, by which hosts tell what is there. [ATA-6] 9.12 "Signature and persistence" */
export const PACKET_SIGNATURE = { mid: 0x14, high: 0xeb } as const;

export const SECTOR = 512;
/** Most sectors in one block of READ and WRITE MULTIPLE. */
export const MAX_MULTIPLE = 16;
/** Blocks of range descriptors in one DATA SET MANAGEMENT. */
export const MAX_TRIM_BLOCKS = 8;
/** One more than the largest LBA of 28 bits that a disk admits to. [ATA-6] 6.2.2 */
export const LBA28_LIMIT = 0x0fff_ffff;
