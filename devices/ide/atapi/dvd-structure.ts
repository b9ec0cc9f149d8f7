/**
 * READ DVD STRUCTURE: what players and installers ask about a disc that is larger than a CD.
 *
 * [MMC] READ DISC STRUCTURE; [ECMA-267] physical format information
 */
import { putU16, putU24 } from "./big-endian.js";
import { mediumKind } from "./drive-view.js";
import type { Answer, DriveView } from "./drive-view.js";
import { Sense } from "./sense.js";

/** Byte 7. [MMC] READ DISC STRUCTURE, format codes */
const Format = { physical: 0x00, copyright: 0x01, manufacturer: 0x04, list: 0xff } as const;
const HEADER = 4;
const MANUFACTURER_BYTES = 2048;
const PHYSICAL_BYTES = 2048;
/** Number of the first sector of the data area. [ECMA-267] */
const DATA_START = 0x03_0000;
const LAST_PHYSICAL = 0xff_ffff;

export function readDvdStructure(packet: Uint8Array, target: Uint8Array, drive: DriveView): Answer {
  // Media type in byte 1: 0 is DVD. The layer in byte 6: we have one.
  if (((packet[1] ?? 0) & 0x0f) !== 0 || packet[6] !== 0) return Sense.invalidField;
  if (mediumKind(drive) !== "dvd") return Sense.incompatibleFormat;
  const format = packet[7] ?? 0;
  switch (format) {
    case Format.physical:
      target.set([0x01, 0x0f, 0x01, 0x00], HEADER); // DVD-ROM version 1; 120 mm, no rate limit; one layer of embossed data
      putU24(target, HEADER + 5, DATA_START);
      putU24(target, HEADER + 9, Math.min(DATA_START + drive.blocks - 1, LAST_PHYSICAL));
      return finished(target, PHYSICAL_BYTES);
    case Format.copyright:
      return finished(target, 4); // no protection, all regions
    case Format.manufacturer:
      return finished(target, MANUFACTURER_BYTES); // blank
    case Format.list: {
      const sizes = [
        [Format.physical, PHYSICAL_BYTES],
        [Format.copyright, 4],
        [Format.manufacturer, MANUFACTURER_BYTES],
      ] as const;
      sizes.forEach(([code, size], i) => {
        target.set([code, 0x40], HEADER + 4 * i); // readable
        putU16(target, HEADER + 4 * i + 2, HEADER + size);
      });
      return finished(target, 4 * sizes.length);
    }
    default:
      return Sense.invalidField;
  }
}

function finished(target: Uint8Array, bytes: number): number {
  putU16(target, 0, bytes + HEADER - 2);
  return HEADER + bytes;
}
