/**
 * INQUIRY: who the drive is.
 *
 * [SPC] 6.4 INQUIRY, 7.6 vital product data; [ATAPI] INQUIRY
 */
import { putText } from "./big-endian.js";
import type { Answer } from "./drive-view.js";
import { Sense } from "./sense.js";

/** Peripheral device type of CDs and DVDs. */
const TYPE_MMC = 0x05;
const REMOVABLE = 0x80;
/** ATAPI version 2 (SFF-8020i), response data format 1. */
const ATAPI_VERSION = 0x21;
const INQUIRY_BYTES = 36;
/** EVPD of byte 1. */
const VITAL_PRODUCT_DATA = 0x01;

/** Vital product data pages, [SPC] 7.6. */
const Page = { supported: 0x00, serial: 0x80, identification: 0x83 } as const;
/** Code set ASCII; associated with the logical unit, vendor's own. */
const CODE_SET_ASCII = 0x02;

export interface Identity {
  /** At most 40 characters of ASCII. */
  readonly model: string;
  /** At most 20. */
  readonly serial: string;
  /** At most 8; INQUIRY shows 4. */
  readonly firmware: string;
}

export function inquiry(packet: Uint8Array, target: Uint8Array, identity: Identity): Answer {
  const page = packet[2] ?? 0;
  if (((packet[1] ?? 0) & VITAL_PRODUCT_DATA) !== 0) return vitalProductData(page, target, identity);
  if (page !== 0) return Sense.invalidField;
  target[0] = TYPE_MMC;
  target[1] = REMOVABLE;
  target[3] = ATAPI_VERSION;
  target[4] = INQUIRY_BYTES - 5; // additional length
  const [vendor = "", ...product] = identity.model.split(" ");
  putText(target, 8, 8, vendor);
  putText(target, 16, 16, product.join(" "));
  putText(target, 32, 4, identity.firmware);
  return INQUIRY_BYTES;
}

function vitalProductData(page: number, target: Uint8Array, { serial }: Identity): Answer {
  target[0] = TYPE_MMC;
  target[1] = page;
  switch (page) {
    case Page.supported:
      target[3] = 3;
      target.set([Page.supported, Page.serial, Page.identification], 4);
      return 7;
    case Page.serial:
      target[3] = serial.length;
      putText(target, 4, serial.length, serial);
      return 4 + serial.length;
    case Page.identification:
      target[3] = 4 + serial.length;
      target[4] = CODE_SET_ASCII;
      target[7] = serial.length;
      putText(target, 8, serial.length, serial);
      return 8 + serial.length;
    default:
      return Sense.invalidField;
  }
}
