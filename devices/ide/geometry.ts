/** Cylinders, heads and sectors of a disk that knows none: the shape that PCs have agreed on. [ATA-6] 6.2.1, 8.15.8.1 */

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** The most that CHS addressing is for; larger disks show these and are used by LBA. [ATA-6] 6.2.1 */
const MAX_CYLINDERS = 16_383;
const HEADS = 16;
const SECTORS = 63;

/** The translation that a disk of `capacity` sectors starts with. */
export function defaultGeometry(capacity: number): Geometry {
  return translate(capacity, HEADS, SECTORS);
}

/** The translation with as many cylinders as fit. */
export function translate(capacity: number, heads: number, sectors: number): Geometry {
  const cylinders = Math.min(MAX_CYLINDERS, Math.floor(capacity / (heads * sectors)));
  return { cylinders: Math.max(1, cylinders), heads, sectors };
}
