import assert from "node:assert/strict";
import { parseXenbusState, XenbusState } from "../../../xen/xenbus/xenbus-state.js";

describe("XenbusState", () => {
  it("has the numbers of xenbus.h", () => {
    assert.deepEqual(XenbusState, {
      unknown: 0,
      initialising: 1,
      initWait: 2,
      initialised: 3,
      connected: 4,
      closing: 5,
      closed: 6,
      reconfiguring: 7,
      reconfigured: 8,
    });
  });

  it("X24: a node with anything else in it tells the unknown state", () => {
    assert.equal(parseXenbusState("4"), 4);
    for (const text of [undefined, "", "0", "9", "99", "abc", "04", "4 ", "4\0", "-1"]) {
      assert.equal(parseXenbusState(text), 0, text);
    }
  });
});
