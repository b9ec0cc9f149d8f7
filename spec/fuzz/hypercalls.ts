/** Hypercalls of any number and argument, in both modes: each gives a signed number, and the domain stays usable. */
import assert from "node:assert/strict";
import { FakeKernel } from "../xen/fake-host.js";
import { ARGUMENT, Guest, RAM_BYTES } from "../xen/guest.js";
import type { Draw } from "./draw.js";
import type { Entrance } from "./entrance.js";

/** public/xen.h: numbers that have a handler are below. */
const NUMBERS = 56;
const XEN_VERSION = 17;
const XENVER_PAGE_SIZE = 7;
const LOWEST_ERROR = -95;

function argument(draw: Draw): number {
  return draw.oneIn(2) ? ARGUMENT + draw.of([0, 4, 8, 0xff8]) : draw.of([draw.word(), draw.below(RAM_BYTES)]);
}

export function hypercalls(transport: "userspace" | "kernel"): Entrance {
  return {
    name: `hypercalls-${transport}`,
    tryOne(draw) {
      const guest = new Guest(transport === "kernel" ? { kernel: new FakeKernel() } : {});
      for (let left = 1 + draw.below(40); left > 0; left--) {
        guest.words(ARGUMENT, ...Array.from({ length: 16 }, () => draw.word()));
        guest.frame.longMode = draw.oneIn(2);
        guest.frame.junk = guest.frame.longMode ? 0 : draw.word();
        guest.frame.cpl = draw.oneIn(20) ? 3 : 0;
        const number = draw.oneIn(20) ? draw.word() : draw.below(NUMBERS);
        // The first argument is mostly the number of a sub-operation.
        const first = draw.oneIn(4) ? argument(draw) : draw.below(40);
        const result = guest.call(number, first, ...Array.from({ length: 5 }, () => argument(draw)));
        assert(Number.isSafeInteger(result) && result >= LOWEST_ERROR, `hypercall ${number} answers ${result}`);
        guest.xen.delivery.callbackLineCheck();
      }
      Object.assign(guest.frame, { longMode: true, junk: 0, cpl: 0 });
      assert.equal(guest.call(XEN_VERSION, XENVER_PAGE_SIZE, 0), 4096, "the domain is usable");
    },
  };
}
