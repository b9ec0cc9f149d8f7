import assert from "node:assert/strict";
import { domId } from "../../../shared/brand.js";
import { XenStore } from "../../../xen/xenstore/store.js";
import { parseRequest } from "./store-driver.js";

describe("xenstore's trace", () => {
  it("tells who asked what about which path, and the outcome; fit for a terminal", () => {
    const seen: (readonly (string | number)[])[] = [];
    const store = new XenStore((...event) => seen.push(event));
    const connection = store.connect(domId(0), { flush: () => undefined });
    for (const request of ["WRITE /a|value", "READ /b|", "READ", "#99 \x1b[2J|", `RM ${"x".repeat(5000)}`]) {
      connection.receive({ ...parseRequest(request), reqId: 1, txId: 0 });
    }
    assert.deepEqual(seen, [
      [0, "WRITE", "/a", "OK"],
      [0, "READ", "/b", "ENOENT"],
      [0, "READ", "", "EINVAL"],
      [0, "unknown (99)", "\\x1b[2J", "ENOSYS"],
      [0, "RM", "x".repeat(3100), "EINVAL"],
    ]);
  });
});
