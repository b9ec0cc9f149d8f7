import assert from "node:assert/strict";
import { withoutSecondInjection } from "./emulator.js";

/** As objdump shows it, with 0xee for what differs from build to build. */
const STORE = [0x89, 0xb3, 0xee, 0xee, 0xee, 0xee];
const REST = [
  ...[0xc7, 0x83, 0xee, 0xee, 0xee, 0xee, 0, 0, 0, 0],
  ...[0x48, 0xc7, 0x83, 0xee, 0xee, 0xee, 0xee, 0xff, 0xff, 0xff, 0xff],
  ...[0xf6, 0x05, 0xee, 0xee, 0xee, 0xee, 0x02, 0x0f, 0x85, 0xee, 0xee, 0xee, 0xee],
  ...[0xba, 0x01, 0, 0, 0, 0x48, 0x89, 0xdf, 0xe8],
];
const AROUND = [0x0a, 0x89, 0xb3, 0x0a];

describe("withoutSecondInjection()", () => {
  it("replaces the store of the vector, and nothing else", () => {
    const mended = withoutSecondInjection(Uint8Array.from([...AROUND, ...STORE, ...REST, ...AROUND]));
    const nop = [0x66, 0x0f, 0x1f, 0x44, 0, 0];
    assert.deepEqual([...(mended ?? [])], [...AROUND, ...nop, ...REST, ...AROUND]);
  });

  it("leaves a program alone in which the place is missing or not the only one", () => {
    assert.equal(withoutSecondInjection(Uint8Array.from([...AROUND, ...STORE, ...AROUND])), undefined);
    const twice = [...STORE, ...REST];
    assert.equal(withoutSecondInjection(Uint8Array.from([...twice, ...twice])), undefined);
  });
});
