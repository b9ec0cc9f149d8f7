import assert from "node:assert/strict";
import { describe, it } from "mocha";
import fc from "fast-check";
import { readFrontEnd } from "../../../devices/xen-disk/front-end-keys.js";
import type { DiskConnection } from "../../../devices/xen-disk/disk-plane.js";

type Keys = Readonly<Record<string, string>>;

function parse(
  keys: Keys,
  maxQueues = 4,
  nativeAbi: "x86_64-abi" | "x86_32-abi" = "x86_64-abi",
): DiskConnection | string {
  const map = new Map(Object.entries(keys));
  const read = (name: string): string | undefined => map.get(name);
  return readFrontEnd(
    {
      read,
      readNumber: (name, max) => {
        const text = read(name);
        if (text === undefined || !/^[0-9]{1,16}$/.test(text)) return undefined;
        return Number(text) <= max ? Number(text) : undefined;
      },
    },
    { maxQueues, nativeAbi },
  );
}

function refusal(keys: Keys): string {
  const connection = parse(keys);
  return typeof connection === "string" ? connection : "accepted";
}

const LINUX: Keys = { "ring-ref": "8", "event-channel": "15", protocol: "x86_64-abi", "feature-persistent": "1" };

describe("readFrontEnd()", () => {
  it("takes what Linux writes for one page", () => {
    assert.deepEqual(parse(LINUX), { queues: [{ ringRefs: [8], abi: "x86_64-abi", persistent: true, port: 15 }] });
  });

  it("takes a ring of several pages, in either scheme", () => {
    const refs = {
      "ring-ref0": "1",
      "ring-ref1": "4294967295",
      "ring-ref2": "3",
      "ring-ref3": "4",
      "event-channel": "9",
    };
    for (const pages of [{ "ring-page-order": "2" }, { "num-ring-pages": "4" }]) {
      const connection = parse({ ...refs, ...pages });
      assert.ok(typeof connection !== "string");
      assert.deepEqual(connection.queues[0]?.ringRefs, [1, 4294967295, 3, 4]);
    }
  });

  it("takes ring-ref0 for the only page", () => {
    const connection = parse({ "ring-ref0": "5", "ring-page-order": "0", "event-channel": "9" });
    assert.ok(typeof connection !== "string");
    assert.deepEqual(connection.queues[0]?.ringRefs, [5]);
  });

  it("takes several queues, each with pages of its own", () => {
    const connection = parse({
      "multi-queue-num-queues": "2",
      "ring-page-order": "1",
      "queue-0/ring-ref0": "1",
      "queue-0/ring-ref1": "2",
      "queue-0/event-channel": "11",
      "queue-1/ring-ref0": "3",
      "queue-1/ring-ref1": "4",
      "queue-1/event-channel": "12",
    });
    assert.ok(typeof connection !== "string");
    assert.deepEqual(
      connection.queues.map(({ ringRefs, port }) => [ringRefs, port]),
      [
        [[1, 2], 11],
        [[3, 4], 12],
      ],
    );
  });

  it("takes the guest's own layout where protocol is missing, and refuses unknown ones (K14)", () => {
    const rest: Keys = { "ring-ref": "8", "event-channel": "15" };
    for (const abi of ["x86_64-abi", "x86_32-abi"] as const) {
      const connection = parse(rest, 1, abi);
      assert.equal(typeof connection === "string" ? connection : connection.queues[0]?.abi, abi);
    }
    for (const protocol of ["foo", "", "arm-abi", "x86_64-abi ", "constructor"]) {
      assert.match(refusal({ ...LINUX, protocol }), /protocol/);
    }
    const other = parse({ ...LINUX, protocol: "x86_32-abi" });
    assert.equal(typeof other === "string" ? other : other.queues[0]?.abi, "x86_32-abi");
  });

  it("refuses what makes no sense (K13)", () => {
    const bad: [Keys, RegExp][] = [
      [{}, /grant reference/],
      [{ "ring-ref": "x", "event-channel": "1" }, /grant reference/],
      [{ "ring-ref": "4294967296", "event-channel": "1" }, /grant reference/],
      [{ "ring-ref": "-1", "event-channel": "1" }, /grant reference/],
      [{ ...LINUX, "ring-page-order": "99" }, /pages/],
      [{ ...LINUX, "ring-page-order": "5" }, /pages/],
      [{ ...LINUX, "ring-page-order": "1.5" }, /pages/],
      [{ ...LINUX, "num-ring-pages": "0" }, /pages/],
      [{ ...LINUX, "num-ring-pages": "3" }, /pages/],
      [{ ...LINUX, "num-ring-pages": "32" }, /pages/],
      [{ ...LINUX, "num-ring-pages": "?" }, /pages/],
      [{ ...LINUX, "ring-page-order": "1" }, /grant reference/],
      [{ ...LINUX, "multi-queue-num-queues": "1000000000" }, /queues/],
      [{ ...LINUX, "multi-queue-num-queues": "0" }, /queues/],
      [{ ...LINUX, "multi-queue-num-queues": "" }, /queues/],
      [{ ...LINUX, "multi-queue-num-queues": "2" }, /grant reference/],
      [{ "ring-ref": "1" }, /event channel/],
      [{ ...LINUX, "event-channel": "0" }, /event channel/],
      [{ ...LINUX, "event-channel": "131072" }, /event channel/],
    ];
    for (const [keys, reason] of bad) assert.match(refusal(keys), reason, JSON.stringify(keys));
  });

  it("never throws, and reads a bounded number of keys, whatever they hold", () => {
    const names = ["ring-ref", "ring-ref0", "ring-ref1", "event-channel", "ring-page-order", "num-ring-pages"];
    const more = [
      "protocol",
      "feature-persistent",
      "multi-queue-num-queues",
      "queue-0/ring-ref",
      "queue-0/event-channel",
    ];
    const value = fc.oneof(
      fc.string(),
      fc.nat(20).map(String),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names, ...more), value), (keys) => {
        const connection = parse(keys);
        if (typeof connection === "string") return;
        assert.ok(connection.queues.length >= 1 && connection.queues.length <= 4);
        for (const { ringRefs } of connection.queues) assert.ok([1, 2, 4, 8, 16].includes(ringRefs.length));
      }),
    );
  });
});
