import assert from "node:assert/strict";
import fc from "fast-check";
import {
  bytesText,
  decodeHeader,
  encodeMessage,
  nulStrings,
  nulTerminated,
  soleString,
  textBytes,
  xsdSockmsg,
  XsType,
} from "../../../xen/xenstore/wire.js";

describe("xsd_sockmsg", () => {
  it("is laid out as in xs_wire.h", () => {
    assert.deepEqual({ ...xsdSockmsg.offsets }, { type: 0, reqId: 4, txId: 8, len: 12 });
    assert.equal(xsdSockmsg.size, 16);
  });

  it("numbers the types as xs_wire.h does, with a hole at 20", () => {
    assert.deepEqual(Object.values(XsType), [...Array.from({ length: 20 }, (_, i) => i), 21, 22]);
  });

  it("survives the way over the ring", () => {
    const word = fc.nat({ max: 0xffff_ffff });
    fc.assert(
      fc.property(word, word, word, fc.uint8Array(), (type, reqId, txId, payload) => {
        const bytes = encodeMessage({ type, reqId, txId, payload });
        assert.deepEqual(decodeHeader(bytes), { header: { type, reqId, txId }, length: payload.length });
        assert.deepEqual([...bytes.subarray(16)], [...payload]);
      }),
      { numRuns: 50 },
    );
  });
});

describe("text on the wire", () => {
  it("is one byte a character, whatever the byte", () => {
    const all = Uint8Array.from({ length: 10_000 }, (_, i) => i & 0xff);
    assert.deepEqual(textBytes(bytesText(all)), all);
  });

  it("nulStrings() takes what ends in NUL and drops the rest", () => {
    assert.deepEqual(nulStrings(textBytes("a\0\0b\0rest")), ["a", "", "b"]);
    assert.deepEqual(nulStrings(textBytes("none")), []);
    assert.deepEqual(nulStrings(new Uint8Array(0)), []);
  });

  it("soleString() wants exactly one NUL, at the end", () => {
    assert.equal(soleString(textBytes("a\0")), "a");
    assert.equal(soleString(textBytes("\0")), "");
    assert.equal(soleString(textBytes("a")), undefined);
    assert.equal(soleString(textBytes("a\0b\0")), undefined);
    assert.equal(soleString(new Uint8Array(0)), undefined);
  });

  it("nulTerminated() ends each string", () => {
    assert.equal(bytesText(nulTerminated(["a", "bc"])), "a\0bc\0");
    assert.equal(nulTerminated([]).length, 0);
  });
});
