/** The 256 words of an IDENTIFY answer: little-endian, but for texts, whose bytes are swapped in each word. [ATA-6] 8.15.8 */

export const IDENTIFY_BYTES = 512;

export function putWord(target: Uint8Array, word: number, value: number): void {
  target[2 * word] = value;
  target[2 * word + 1] = value >> 8;
}

/** `text` in ASCII over `count` words from `word` on, filled up with blanks. */
export function putWordText(target: Uint8Array, word: number, count: number, text: string): void {
  for (let i = 0; i < 2 * count; i++) {
    const code = i < text.length ? text.charCodeAt(i) & 0x7f : 0x20;
    target[2 * word + (i ^ 1)] = code;
  }
}

const INTEGRITY = 0xa5;

/** Word 255: all 512 bytes add up to 0. [ATA-6] 8.15.64 */
export function putChecksum(target: Uint8Array): void {
  let sum = INTEGRITY;
  for (let byte = 0; byte < IDENTIFY_BYTES - 2; byte++) sum += target[byte] ?? 0;
  target[IDENTIFY_BYTES - 2] = INTEGRITY;
  target[IDENTIFY_BYTES - 1] = -sum;
}
