import assert from "node:assert/strict";
import { describe, it } from "mocha";
import fc from "fast-check";
import { FrontEnd } from "./front-end.js";
import type { Segment } from "./front-end.js";

const READ = 0;
const WRITE = 1;

const abi = fc.constantFrom("x86_64-abi" as const, "x86_32-abi" as const);

/** Copies of all frames, to find out which were touched. */
function snapshot(guest: FrontEnd): Uint8Array[] {
  return Array.from({ length: guest.memory.frameCount }, (_, frame) => guest.memory.page(frame).slice());
}

describe("BlkifBackend, any input", () => {
  it("never throws on random ring contents and indices, nor touches memory that is not granted to it", () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant("bytes" as const), at: fc.nat(8191), value: fc.uint8Array({ maxLength: 300 }) }),
      fc.record({ kind: fc.constant("produce" as const), count: fc.nat(70) }),
      fc.record({ kind: fc.constant("index" as const), word: fc.nat(3), value: fc.nat(0xffff_ffff) }),
      fc.record({ kind: fc.constant("complete" as const), index: fc.nat(40) }),
      fc.record({ kind: fc.constant("reconnect" as const) }),
    );
    fc.assert(
      fc.property(
        abi,
        fc.boolean(),
        fc.boolean(),
        fc.array(action, { maxLength: 30 }),
        (abi, persistent, later, actions) => {
          const guest = new FrontEnd({ abi, order: 1, persistent, backend: { maxPersistentGrants: 4 } });
          guest.storage.deferred = later;
          // Small references are frequent in random bytes: 0 to 15 are granted, every third read-only.
          for (let ref = 0; ref < 16; ref++) guest.grants.grant(ref, guest.memory.address(64 + 2 * ref), ref % 3 === 0);
          const before = snapshot(guest);
          guest.connect();
          for (const step of actions) {
            if (step.kind === "bytes")
              step.value.forEach((byte, i) => {
                if (step.at + i >= 64 && step.at + i < 8192) guest.set(step.at + i, 1, byte % 8);
              });
            if (step.kind === "produce") guest.setWord(0, guest.word(0) + step.count);
            if (step.kind === "index") guest.setWord(step.word, step.value);
            if (step.kind === "complete") guest.storage.completeAt(step.index);
            if (step.kind === "reconnect") {
              guest.backend.disconnect(() => undefined);
              guest.storage.completeAll();
              guest.setWord(0, guest.word(2));
              guest.backend.connect(guest.connection);
            }
            guest.backend.kick();
            assert.ok(guest.backend.inFlight <= 64);
            assert.ok(guest.backend.persistentGrants <= 4);
          }
          guest.backend.disconnect(() => undefined);
          guest.storage.completeAll();
          assert.equal(guest.backend.inFlight, 0);
          assert.equal(guest.grants.held, 0);
          before.forEach((bytes, frame) => {
            const granted = frame >= 64 && frame < 96 && frame % 2 === 0 && ((frame - 64) / 2) % 3 !== 0;
            if (!granted && !guest.pages.includes(frame)) {
              assert.ok(Buffer.compare(bytes, guest.memory.page(frame)) === 0, `frame ${frame} was touched`);
            }
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  it("moves the data that a flat image moves, for any layout of segments, direct and indirect", () => {
    const segment = fc
      .tuple(fc.nat(60), fc.nat(7), fc.nat(7))
      .map(([frame, a, b]): Segment => [100 + 2 * frame, Math.min(a, b), Math.max(a, b)]);
    const request = fc.record({
      write: fc.boolean(),
      sector: fc.nat(1200),
      // Different frames, as what a guest reads twice into one page depends on the order.
      segments: fc.uniqueArray(segment, { minLength: 1, maxLength: 60, selector: ([frame]) => frame }),
      fill: fc.nat(255),
    });
    fc.assert(
      fc.property(
        abi,
        fc.nat(4),
        fc.boolean(),
        fc.array(request, { minLength: 1, maxLength: 12 }),
        (abi, order, persistent, requests) => {
          const guest = new FrontEnd({ abi, order, persistent, backend: { maxPersistentGrants: 20 } }).connect();
          const image = guest.storage.image.slice();
          requests.forEach(({ write, sector, segments, fill }, i) => {
            segments.forEach(([frame], k) => {
              guest.share(frame, write && !persistent);
              guest.memory.page(frame).fill(fill + k);
            });
            const op = write ? WRITE : READ;
            const fields = { op, id: BigInt(i), sector: BigInt(sector), segments };
            if (segments.length > 11) guest.putIndirect({ ...fields, page: 90 });
            else guest.put(fields);
            assert.deepEqual(
              guest.kick().map(({ id, status }) => [id, status]),
              [[BigInt(i), 0]],
            );
            let at = sector * 512;
            for (const [k, [frame, first, last]] of segments.entries()) {
              const length = (last - first + 1) * 512;
              const expected = new Uint8Array(4096).fill(fill + k);
              if (write) image.fill(fill + k, at, at + length);
              else expected.set(image.subarray(at, at + length), first * 512);
              assert.ok(Buffer.compare(guest.memory.page(frame), expected) === 0, `request ${i}, frame ${frame}`);
              at += length;
            }
          });
          assert.ok(Buffer.compare(guest.storage.image, image) === 0);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("answers each request exactly once, in any order of completion, over many turns of the ring", () => {
    fc.assert(
      fc.property(
        abi,
        fc.nat(2),
        fc.array(fc.tuple(fc.nat(100), fc.nat(1000)), { maxLength: 60 }),
        (abi, order, turns) => {
          const guest = new FrontEnd({ abi, order }).connect();
          guest.storage.deferred = true;
          const open = new Set<bigint>();
          let next = 0n;
          const settle = (): void => {
            for (const { id, status } of guest.responses()) {
              assert.equal(status, 0);
              assert.ok(open.delete(id));
            }
          };
          for (const [wanted, pick] of turns) {
            for (let i = 0; i < wanted && open.size < guest.slots; i++) {
              guest.put({ op: READ, id: next, segments: [[guest.share(70), 0, 7]] });
              open.add(next++);
            }
            guest.setWord(0, guest.reqProd);
            guest.backend.kick();
            for (let i = 0; i < pick % 50 && guest.storage.pending.length > 0; i++) {
              guest.storage.completeAt((pick * 7 + i) % guest.storage.pending.length);
            }
            settle();
          }
          guest.storage.completeAll();
          settle();
          assert.equal(open.size, 0);
        },
      ),
      { numRuns: 30 },
    );
  });
});
