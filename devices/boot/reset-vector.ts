/**
 * Where a processor starts after INIT, and where kernels jump to for a restart "by the BIOS". A machine without firmware
 * has a few instructions there that reset it.
 *
 * [SDM] Intel SDM volume 3, 10.1.4 "First instruction executed"
 * [PIIX3] Intel 82371SB, 290550-002, 2.5.7 "RC - reset control register"
 */
import { gpa } from "../../shared/brand.js";
import type { Gpa } from "../../shared/brand.js";

/** The last 16 bytes below 4 GiB, and the same place of the BIOS's segment below 1 MiB: a page each has them at its end. */
const VECTOR_OFFSET = 0xff0;
/** FFFF:0000, as real-mode code has it. */
export const LOW_RESET_VECTOR: Gpa = gpa(0xf_fff0);

/** In real mode, at any address; for a processor whose reset is not heard of at once, it halts. */
export const RESET_CODE = Uint8Array.of(
  ...[0xb0, 0x06], // mov $0x06, %al: hard reset of the processor
  ...[0xba, 0xf9, 0x0c], // mov $0xcf9, %dx
  0xee, // out %al, %dx
  0xf4, // hlt
  ...[0xeb, 0xfd], // jmp to the hlt
);

/** The page that ends at 4 GiB. */
export function fillResetPage(page: Uint8Array): void {
  page.fill(0);
  page.set(RESET_CODE, VECTOR_OFFSET);
}
