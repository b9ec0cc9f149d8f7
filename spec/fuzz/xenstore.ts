/** The xenstore ring's page with any bytes and indices, and requests that are nearly right: the store lives. */
import assert from "node:assert/strict";
import { domId } from "../../shared/brand.js";
import { logTo } from "../../shared/log.js";
import { GuestStoreRing } from "../../xen/xenstore/guest-ring.js";
import { XenStore } from "../../xen/xenstore/store.js";
import type { Draw } from "./draw.js";
import type { Entrance } from "./entrance.js";

/** xenstore-ring.txt: indices and status words, and the size of a ring. */
const WORDS = [2048, 2052, 2056, 2060, 2064, 2068, 2072] as const;
const [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD] = WORDS;
const RING = 1024;
const TYPES = 24;
const OWN = "/local/domain/1/data";
const NAMES = [
  "data",
  OWN,
  `${OWN}/a`,
  `${OWN}/a/b`,
  "/",
  "",
  "@releaseDomain",
  "__proto__",
  "//",
  `${OWN}/`,
  "n1",
  "T",
  "F",
  "1",
];
/** Lines that one guest may cause. */
const MOST_WARNINGS = 50;

function request(draw: Draw): Uint8Array {
  const parts = Array.from({ length: draw.below(4) }, () =>
    draw.oneIn(5) ? [...draw.bytes(20)] : [...Buffer.from(draw.of(NAMES))],
  );
  const payload = parts.flatMap((part) => (draw.oneIn(6) ? part : [...part, 0]));
  const length = draw.oneIn(10) ? draw.word() : payload.length;
  const type = draw.oneIn(10) ? draw.word() : draw.below(TYPES);
  const header = Uint32Array.of(type, draw.word(), draw.oneIn(3) ? draw.below(4) : 0, length);
  return Uint8Array.from([...new Uint8Array(header.buffer), ...payload]);
}

export const xenstore: Entrance = {
  name: "xenstore",
  tryOne(draw) {
    const page = new Uint8Array(new SharedArrayBuffer(4096));
    const view = new DataView(page.buffer);
    const store = new XenStore();
    let warnings = 0;
    const ring = new GuestStoreRing(page, store, domId(1), {
      log: logTo("xenstore", () => warnings++),
      notify: () => undefined,
    });
    ring.reset();
    store.client().write(OWN, "");
    store.client().setPermissions(OWN, ["n1"]);
    const word = (offset: number): number => view.getUint32(offset, true);
    for (let left = 1 + draw.below(60); left > 0; left--) {
      const kind = draw.below(12);
      if (kind === 0) view.setUint32(draw.of(WORDS), draw.oneIn(2) ? draw.word() : draw.below(3000), true);
      else if (kind === 1) page[draw.below(4096)] = draw.below(256);
      else if (kind < 4) view.setUint32(RSP_CONS, word(RSP_PROD), true);
      else {
        const bytes = draw.oneIn(8) ? draw.bytes(200) : request(draw);
        const producer = word(REQ_PROD);
        const room = RING - ((producer - word(REQ_CONS)) >>> 0);
        const count = Math.max(0, Math.min(bytes.length, room));
        for (let i = 0; i < count; i++) page[(producer + i) & (RING - 1)] = bytes[i] ?? 0;
        view.setUint32(REQ_PROD, producer + count, true);
      }
      ring.process();
    }
    assert.equal(store.client().read("/local/domain") === undefined, false, "the store has its tree");
    assert(warnings <= MOST_WARNINGS, `${warnings} warnings`);
  },
};
