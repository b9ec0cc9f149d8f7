/**
 * SMART: a disk that keeps three attributes, none of which ever changes, as storage of the host's does not wear out here.
 *
 * Not modelled: self-tests and logs. They are not announced, and asking for them aborts.
 *
 * [ATA-6] T13/1410D, 8.41 "SMART"; [ATA-3] X3T10/2008D, 7.27: the attributes' layout, which later standards leave open
 */
import { SECTOR } from "./ata.js";

/** Subcommands, in the features register. [ATA-6] 8.41.1 */
export const Smart = {
  readData: 0xd0,
  readThresholds: 0xd1,
  autosave: 0xd2,
  saveAttributes: 0xd3,
  enable: 0xd8,
  disable: 0xd9,
  returnStatus: 0xda,
} as const;

/** LBA mid and high of every subcommand, and of the answer that all is well. [ATA-6] 8.41.1 */
export const SMART_KEY = { mid: 0x4f, high: 0xc2 } as const;

interface Attribute {
  readonly id: number;
  /** Bit 0: tells of a failure to come; bit 1: kept up to date all the time. */
  readonly flags: number;
  readonly threshold: number;
}

/** Read errors, reallocated sectors, sectors that wait for it: none of each. */
const ATTRIBUTES: readonly Attribute[] = [
  { id: 1, flags: 0x0003, threshold: 6 },
  { id: 5, flags: 0x0003, threshold: 36 },
  { id: 197, flags: 0x0002, threshold: 0 },
];
const REVISION = 0x0010;
/** Bytes of an attribute, and of its threshold. */
const ENTRY = 12;
/** As good as new. */
const NORMAL = 100;
/** Attributes are kept over standby and saved by themselves. */
const SAVES = 0x0003;

/** READ DATA's 512 bytes. */
export function smartData(target: Uint8Array): void {
  target.fill(0, 0, SECTOR);
  target[0] = REVISION;
  ATTRIBUTES.forEach(({ id, flags }, index) => {
    target.set([id, flags & 0xff, flags >>> 8, NORMAL, NORMAL], 2 + index * ENTRY);
  });
  target[368] = SAVES;
  putSum(target);
}

/** READ THRESHOLDS' 512 bytes. */
export function smartThresholds(target: Uint8Array): void {
  target.fill(0, 0, SECTOR);
  target[0] = REVISION;
  ATTRIBUTES.forEach(({ id, threshold }, index) => {
    target.set([id, threshold], 2 + index * ENTRY);
  });
  putSum(target);
}

/** All bytes add up to 0. [ATA-6] 8.41.5.8.11 */
function putSum(target: Uint8Array): void {
  let sum = 0;
  for (let byte = 0; byte < SECTOR - 1; byte++) sum += target[byte] ?? 0;
  target[SECTOR - 1] = -sum;
}
