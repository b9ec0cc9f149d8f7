/** The back end's state machine, driven by a front end that keeps to the rules and by one that does not. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { BACKEND, Bench, FRONTEND } from "./device-bench.js";

describe("BackendDevice", () => {
  it("offers its features and waits in InitWait", () => {
    const bench = new Bench();
    assert.equal(bench.state(), "2");
    assert.equal(bench.driver.ask(1, 0, `READ ${BACKEND}/feature-flush-cache|`), "1");
    assert.deepEqual(bench.calls, ["features"]);
  });

  it("goes through a device's life: connect, close, and again for a reloaded driver", () => {
    const bench = new Bench();
    bench.write("ring-ref", 8);
    bench.write("state", 3);
    assert.equal(bench.state(), "4");
    bench.write("state", 4);
    bench.write("state", 5);
    assert.equal(bench.state(), "5");
    bench.write("state", 6);
    assert.equal(bench.state(), "6");
    bench.write("state", 1);
    assert.equal(bench.state(), "2");
    bench.write("ring-ref", 9);
    bench.write("state", 4);
    assert.equal(bench.state(), "4");
    assert.deepEqual(bench.calls, ["features", "connect 8", "disconnect", "features", "connect 9"]);
  });

  it("waits for Connected where the device's keys are complete only then", () => {
    const bench = new Bench({ connectOnInitialised: false });
    bench.write("ring-ref", 8);
    bench.write("state", 3);
    assert.equal(bench.state(), "2");
    bench.write("state", 4);
    assert.equal(bench.state(), "4");
  });

  it("waits, or closes, when what the front end wrote cannot be used", () => {
    const waiting = new Bench();
    waiting.write("state", 3);
    assert.equal(waiting.state(), "2");
    waiting.write("ring-ref", 8);
    waiting.write("state", 4);
    assert.equal(waiting.state(), "4");

    const closing = new Bench({ refused: "close" });
    closing.write("protocol", "foo");
    closing.write("state", 3);
    assert.equal(closing.state(), "5");
    closing.write("state", 4);
    assert.equal(closing.state(), "5");
    assert.equal(closing.warnings.length, 1);
  });

  it("offers itself anew to a kernel that starts over without closing", () => {
    const bench = new Bench();
    bench.write("ring-ref", 8);
    bench.write("state", 4);
    bench.write("state", 1);
    assert.equal(bench.state(), "2");
    bench.write("state", 4);
    bench.write("ring-ref", 9);
    bench.write("state", 3);
    assert.deepEqual(bench.calls, [
      "features",
      "connect 8",
      "disconnect",
      "features",
      "connect 8",
      "disconnect",
      "features",
      "connect 9",
    ]);
  });

  it("X24: takes a state of nonsense, and a directory that goes, for a front end that is gone", () => {
    for (const nonsense of ["0", "99", "abc", "", "\u00ff", "4 "]) {
      const bench = new Bench();
      bench.write("ring-ref", 8);
      bench.write("state", 4);
      bench.write("state", nonsense);
      assert.equal(bench.state(), "6", JSON.stringify(nonsense));
      assert.equal(bench.device.connected, false);
    }
    const bench = new Bench();
    bench.write("ring-ref", 8);
    bench.write("state", 4);
    bench.driver.ask(1, 0, `RM ${FRONTEND}|`);
    bench.driver.store.dispatch();
    assert.equal(bench.state(), "6");
    assert.deepEqual(bench.calls, ["features", "connect 8", "disconnect"]);
  });

  it("X24: Reconfiguring and Reconfigured change nothing", () => {
    const bench = new Bench();
    bench.write("ring-ref", 8);
    bench.write("state", 4);
    for (const state of [7, 8, 2]) bench.write("state", state);
    assert.equal(bench.state(), "4");
  });

  it("X24: does not follow a rewritten `backend`", () => {
    const bench = new Bench();
    bench.write("backend", "/local/domain/0/backend/vbd/1/51728");
    bench.write("ring-ref", 8);
    bench.write("state", 4);
    assert.equal(bench.state(), "4");
    bench.device.stop();
    assert.deepEqual(bench.driver.client.list("/local/domain/0/backend/vbd/1"), []);
  });

  it("unplugs when the front end lets go, or at once when nobody holds it", () => {
    const held = new Bench();
    held.write("ring-ref", 8);
    held.write("state", 4);
    held.device.unplug();
    held.device.unplug();
    assert.equal(held.state(), "5");
    assert.equal(held.driver.ask(1, 0, `READ ${BACKEND}/online|`), "0");
    held.write("state", 5);
    held.write("state", 6);
    assert.deepEqual(held.calls, ["features", "connect 8", "disconnect", "removed"]);
    assert.equal(held.driver.client.exists(BACKEND), false);

    const free = new Bench();
    free.device.unplug();
    assert.deepEqual(free.calls, ["features", "removed"]);
  });

  it("stops a front end that broke its protocol until it has closed", () => {
    const bench = new Bench();
    bench.write("ring-ref", 8);
    bench.write("state", 4);
    bench.device.fail("the ring's producer is out of range");
    assert.equal(bench.state(), "5");
    assert.equal(
      bench.driver.client.read("/local/domain/0/error/backend/vbd/1/51712/error"),
      "the ring's producer is out of range",
    );
    bench.write("state", 4);
    assert.equal(bench.state(), "5");
    bench.write("state", 6);
    bench.write("state", 1);
    bench.write("state", 3);
    assert.equal(bench.state(), "4");
  });

  it("announces changed values by writing its state again", () => {
    const bench = new Bench();
    bench.driver.ask(1, 0, `WATCH ${BACKEND}/state|t|`);
    bench.driver.events(1);
    bench.device.announce({ sectors: 4096 });
    assert.deepEqual(bench.driver.events(1), [`${BACKEND}/state|t`]);
    assert.equal(bench.driver.ask(1, 0, `READ ${BACKEND}/sectors|`), "4096");
  });

  it("takes up a restored device where it was", () => {
    const bench = new Bench();
    bench.write("ring-ref", 8);
    bench.write("state", 4);
    const state = bench.driver.store.save();
    const other = new Bench();
    other.device.abandon(() => undefined);
    other.driver.store.restore(state);
    other.calls.length = 0;
    const device = other.make();
    device.resume();
    other.driver.store.dispatch();
    assert.equal(device.state, 4);
    assert.deepEqual(other.calls, ["connect 8"]);
    other.write("state", 6);
    assert.equal(other.state(), "6");
  });

  it("closes a restored device that cannot be connected again", () => {
    const bench = new Bench();
    bench.write("ring-ref", 8);
    bench.write("state", 4);
    bench.device.abandon(() => undefined);
    bench.driver.client.write(`/local/domain/1/${FRONTEND}/ring-ref`, "gone");
    const device = bench.make();
    device.resume();
    bench.driver.store.dispatch();
    assert.equal(device.connected, false);
    assert.equal(bench.state(), "5");
  });

  it("XSA-350: connect and disconnect alternate whatever the front end does, and what is left is let go", () => {
    const step = fc.oneof(
      fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 99, "x").map((value) => ({ name: "state", value })),
      fc.constantFrom("8", "", "-1").map((value) => ({ name: "ring-ref", value })),
      fc.constant({ name: "", value: "" }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const bench = new Bench();
        for (const { name, value } of steps) {
          if (name !== "") bench.write(name, value);
          else bench.driver.ask(1, 0, `RM ${FRONTEND}|`);
          bench.driver.store.dispatch();
        }
        bench.device.stop();
        bench.device.stop();
        const taken = bench.calls.filter((call) => call === "connect 8" || call === "disconnect");
        taken.forEach((call, i) => {
          assert.equal(call, i % 2 === 0 ? "connect 8" : "disconnect");
        });
        assert.equal(taken.length % 2, 0);
        assert.equal(bench.calls.filter((call) => call === "removed").length, 1);
      }),
      { numRuns: 60 },
    );
  });
});
