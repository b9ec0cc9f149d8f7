/**
 * Why a command was refused: sense key, additional code and qualifier, and REQUEST SENSE's answer.
 *
 * [MMC] sense, ASC and ASCQ values; [SPC] 4.5.3 fixed format sense data
 */

/** Sense key, additional sense code, and its qualifier. */
export interface SenseCode {
  readonly key: number;
  readonly asc: number;
  readonly ascq: number;
}

/** [SPC] 4.5.6 sense keys */
export const SenseKey = { none: 0, notReady: 2, mediumError: 3, illegalRequest: 5, unitAttention: 6 } as const;

function code(key: number, asc: number, ascq: number): SenseCode {
  return { key, asc, ascq };
}

/** [MMC] sense, ASC and ASCQ values */
export const Sense = {
  none: code(SenseKey.none, 0x00, 0x00),
  unrecoveredReadError: code(SenseKey.mediumError, 0x11, 0x00),
  invalidCommand: code(SenseKey.illegalRequest, 0x20, 0x00),
  outOfRange: code(SenseKey.illegalRequest, 0x21, 0x00),
  invalidField: code(SenseKey.illegalRequest, 0x24, 0x00),
  invalidParameter: code(SenseKey.illegalRequest, 0x26, 0x00),
  mediumChanged: code(SenseKey.unitAttention, 0x28, 0x00),
  reset: code(SenseKey.unitAttention, 0x29, 0x00),
  incompatibleFormat: code(SenseKey.illegalRequest, 0x30, 0x02),
  savingNotSupported: code(SenseKey.illegalRequest, 0x39, 0x00),
  noMediumTrayClosed: code(SenseKey.notReady, 0x3a, 0x01),
  noMediumTrayOpen: code(SenseKey.notReady, 0x3a, 0x02),
  removalPrevented: code(SenseKey.illegalRequest, 0x53, 0x02),
  illegalTrackMode: code(SenseKey.illegalRequest, 0x64, 0x00),
} as const;

/** Bytes of fixed format sense data without a vendor's own. */
const SENSE_BYTES = 18;
/** Current error, fixed format. */
const RESPONSE_CODE = 0x70;

/** Writes sense data; returns its length. */
export function writeSense(target: Uint8Array, { key, asc, ascq }: SenseCode): number {
  target[0] = RESPONSE_CODE;
  target[2] = key;
  target[7] = SENSE_BYTES - 8; // additional length
  target[12] = asc;
  target[13] = ascq;
  return SENSE_BYTES;
}
