import assert from "node:assert/strict";
import { mendProgram, MENDS } from "./emulator.js";

/** As objdump shows them, with 0xee for what differs from build to build. */
const INJECTION = [
  ...[0x89, 0xb3, 0xee, 0xee, 0xee, 0xee],
  ...[0xc7, 0x83, 0xee, 0xee, 0xee, 0xee, 0, 0, 0, 0],
  ...[0x48, 0xc7, 0x83, 0xee, 0xee, 0xee, 0xee, 0xff, 0xff, 0xff, 0xff],
  ...[0xf6, 0x05, 0xee, 0xee, 0xee, 0xee, 0x02, 0x0f, 0x85, 0xee, 0xee, 0xee, 0xee],
  ...[0xba, 0x01, 0, 0, 0, 0x48, 0x89, 0xdf, 0xe8],
];
const ACCESS = [
  ...[0x48, 0x89, 0xd8, 0x4c, 0x09, 0xe8, 0x4c, 0x85, 0xc8, 0x0f, 0x85, 0xee, 0xee, 0xee, 0xee],
  ...[0x41, 0xf6, 0xc1, 0x20, 0x75, 0xee, 0x48, 0x8b, 0x94, 0x24, 0xee, 0xee, 0xee, 0xee],
  ...[0x45, 0x89, 0xcb, 0x41, 0x83, 0xcb, 0x20],
];
const AROUND = [0x0a, 0x89, 0xb3, 0x0a];

describe("mendProgram()", () => {
  for (const { what, mend, place, mended } of [
    {
      what: "the store of the vector by nothing",
      mend: MENDS.SECOND_INJECTION,
      place: INJECTION,
      mended: [0x66, 0x0f, 0x1f, 0x44, 0, 0, ...INJECTION.slice(6)],
    },
    {
      what: "the branch around the accessed bit's store by one that is always taken",
      mend: MENDS.POINTER_ACCESS,
      place: ACCESS,
      mended: [...ACCESS.slice(0, 19), 0xeb, ...ACCESS.slice(20)],
    },
  ]) {
    it(`replaces ${what}, and nothing else`, () => {
      const program = Uint8Array.from([...AROUND, ...place, ...AROUND]);
      assert.equal(mendProgram(program, mend), true);
      assert.deepEqual([...program], [...AROUND, ...mended, ...AROUND]);
    });

    it(`leaves a program alone in which the place of ${what} is missing or not the only one`, () => {
      for (const bytes of [AROUND, [...place, ...place], place.slice(1)]) {
        const program = Uint8Array.from(bytes);
        assert.equal(mendProgram(program, mend), false);
        assert.deepEqual([...program], bytes);
      }
    });
  }
});
