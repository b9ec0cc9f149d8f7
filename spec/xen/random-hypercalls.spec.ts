/** Whatever a guest throws at the hypercall interface, it gets an answer. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { FakeKernel } from "./fake-host.js";
import { ARGUMENT, Guest } from "./guest.js";

/** Values that break things: edges of ranges, of words, of memory. */
const edge = fc.constantFrom(
  0,
  1,
  2,
  0x7ff0,
  0xfff,
  0x1000,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_ffff,
  0xf_ffff,
  0x10_0000,
);
const word = fc.oneof(edge, fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 0xffff_ffff }));
const argument = fc.oneof(fc.constantFrom(ARGUMENT, ARGUMENT + 4, ARGUMENT + 0xff8), word);

const hypercall = fc.record({
  number: fc.oneof(fc.integer({ min: 0, max: 50 }), word),
  args: fc.array(argument, { minLength: 6, maxLength: 6 }),
  memory: fc.array(word, { minLength: 16, maxLength: 16 }),
  longMode: fc.boolean(),
  junk: edge,
});

const TRANSPORTS: readonly (readonly [name: string, kernel: () => FakeKernel | undefined])[] = [
  ["userspace transport", () => undefined],
  ["kernel transport", () => new FakeKernel({ findsSharedInfo: true })],
  ["kernel transport of Linux 5.12", () => new FakeKernel({ sendsEvents: false, keepsRunstate: false })],
];

for (const [name, makeKernel] of TRANSPORTS) {
  describe(`hypercalls of random bytes, ${name}`, () => {
    it("always answer a signed number, and leave the domain usable", () => {
      fc.assert(
        fc.property(fc.array(hypercall, { minLength: 1, maxLength: 30 }), (calls) => {
          const kernel = makeKernel();
          const guest = new Guest(kernel === undefined ? {} : { kernel });
          for (const { number, args, memory, longMode, junk } of calls) {
            guest.words(ARGUMENT, ...memory);
            guest.frame.longMode = longMode;
            guest.frame.junk = longMode ? 0 : junk;
            const result = guest.call(number, ...args);
            assert(Number.isSafeInteger(result) && result >= -95, `hypercall ${number} answered ${result}`);
            guest.xen.delivery.callbackLineCheck();
          }
          guest.frame.longMode = true;
          guest.frame.junk = 0;
          assert.equal(guest.call(17, 7, 0), 4096);
        }),
        { numRuns: 300 },
      );
    });
  });
}
