import assert from "node:assert/strict";
import { GuestLink } from "../../stress/guest-link.js";

const NEVER = new Promise<void>(() => undefined);
const LONG_MS = 60_000;

describe("GuestLink", () => {
  it("waits for the line that is expected", async () => {
    const link = new GuestLink(LONG_MS);
    const heard = link.expect((line) => line.kind === "heard" && line.number === 2, NEVER);
    link.hear({ kind: "heard", number: 1 });
    link.hear({ kind: "heard", number: 2 });
    assert.equal(await heard, true);
  });

  it("gives up when its patience is over", async () => {
    assert.equal(await new GuestLink(1).expect(() => true, NEVER), false);
  });

  it("gives up when it is told to", async () => {
    assert.equal(await new GuestLink(LONG_MS).expect(() => true, Promise.resolve()), false);
  });
});
