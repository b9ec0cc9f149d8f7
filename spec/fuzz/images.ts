/** Kernels with any bytes changed, and initrds of any size: loaded, or refused in one line; nothing but RAM is touched. */
import assert from "node:assert/strict";
import { loadKernel } from "../../devices/boot/load.js";
import { VmmError } from "../../shared/errors.js";
import {
  makeBzImage,
  makeElf,
  makeFlatKernel,
  makeMultibootHeader,
  makePvhKernel,
  SmallMachine,
} from "../devices/boot/fixtures.js";
import type { Entrance } from "./entrance.js";

const MULTIBOOT = new Uint8Array(0x200).fill(0x90);
MULTIBOOT.set(makeMultibootHeader({ flags: 3 }), 0x20);
const KERNELS = [
  makeBzImage({ codeLength: 0x200 }),
  makeElf({ wide: false, content: MULTIBOOT }),
  makePvhKernel(),
  makePvhKernel(undefined, { wide: false }),
  makeFlatKernel(),
];
const MOST_INITRD = 0x20_0000;
const machine = new SmallMachine(2 * 1024 * 1024);

export const images: Entrance = {
  name: "images",
  tryOne(draw) {
    const kernel = draw.oneIn(10) ? draw.bytes(2048) : draw.mutated(draw.of(KERNELS));
    const initrd = new Uint8Array(draw.oneIn(4) ? draw.below(MOST_INITRD) : draw.below(256));
    const cmdline = Buffer.from(draw.bytes(draw.oneIn(8) ? 5000 : 80)).toString("latin1");
    try {
      loadKernel(machine.config({ kernel, initrd }, { initrd: "initrd", cmdline }));
    } catch (error) {
      if (!(error instanceof VmmError) || error.code !== "CONFIG") throw error;
      assert.doesNotMatch(error.message, /\n/);
    }
    assert(machine.intact, "memory outside RAM was touched");
  },
};
