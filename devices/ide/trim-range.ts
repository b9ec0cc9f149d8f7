/** A range of DATA SET MANAGEMENT's: 48 bits of address, 16 bits of sectors. [ACS-2] 7.9.3 */

export const TRIM_ENTRY_BYTES = 8;

export function trimRange(view: DataView, at: number): { readonly sector: number; readonly sectors: number } {
  return {
    sector: view.getUint16(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true),
    sectors: view.getUint16(at + 6, true),
  };
}
