/**
 * The back end's state machine with a driver that takes its time to let go: Closed and InitWait tell a front end that its
 * grants are its own again, so neither comes before that is so.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { BACKEND, Bench, FRONTEND } from "./device-bench.js";

function connected(): Bench {
  const bench = new Bench();
  bench.deferred = true;
  bench.connect();
  bench.calls.length = 0;
  return bench;
}

describe("BackendDevice, while its driver lets go", () => {
  it("is Closed only afterwards", () => {
    const bench = connected();
    bench.write("state", 5);
    bench.write("state", 6);
    assert.deepEqual([bench.state(), bench.device.connected], ["5", false]);
    assert.equal(bench.letGo(), 1);
    assert.equal(bench.state(), "6");
    assert.deepEqual(bench.calls, ["disconnect"]);
  });

  it("is offered anew only afterwards, to a kernel that starts over", () => {
    const bench = connected();
    bench.write("state", 1);
    assert.equal(bench.state(), "4");
    bench.letGo();
    assert.equal(bench.state(), "2");
    assert.deepEqual(bench.calls, ["disconnect", "features"]);
  });

  it("connects anew only afterwards, also when the front end left Connected for Initialised", () => {
    const bench = connected();
    bench.write("ring-ref", 9);
    bench.write("state", 3);
    assert.deepEqual(bench.calls, ["disconnect"]);
    bench.letGo();
    assert.equal(bench.state(), "4");
    assert.deepEqual(bench.calls, ["disconnect", "features", "connect 9"]);
  });

  it("remembers that the front end went on, and acts on where it is then", () => {
    const bench = connected();
    for (const state of [6, 1]) bench.write("state", state);
    bench.letGo();
    assert.equal(bench.state(), "2");
    assert.deepEqual(bench.calls, ["disconnect", "features"]);

    const faster = connected();
    faster.driver.ask(1, 0, `WATCH ${BACKEND}/state|t|`);
    for (const state of [6, 1, 3]) faster.write("state", state);
    faster.driver.events(1);
    faster.letGo();
    assert.equal(faster.state(), "4");
    assert.ok(faster.driver.events(1).length > 0, "the front end hears of it");
    assert.deepEqual(faster.calls, ["disconnect", "features", "connect 8"]);

    const back = connected();
    for (const state of [1, 6]) back.write("state", state);
    back.letGo();
    assert.equal(back.state(), "6");
    assert.deepEqual(back.calls, ["disconnect"]);
  });

  it("is Closed, not Connected, for a front end that came back in a state without a meaning", () => {
    const bench = connected();
    for (const state of [6, 7]) bench.write("state", state);
    bench.letGo();
    assert.equal(bench.state(), "6");
  });

  it("is Closing at once after a breach, and Closed once the driver and the front end have let go", () => {
    const bench = connected();
    bench.device.fail("the ring lies");
    assert.equal(bench.state(), "5");
    bench.write("state", 5);
    bench.write("state", 6);
    assert.equal(bench.state(), "5");
    bench.letGo();
    assert.equal(bench.state(), "6");

    const slow = connected();
    slow.device.fail("the ring lies");
    slow.letGo();
    assert.equal(slow.state(), "5");
    slow.write("state", 3);
    assert.equal(slow.state(), "5");
    slow.write("state", 6);
    assert.equal(slow.state(), "6");
    assert.deepEqual(slow.calls, ["disconnect"]);
  });

  it("takes a breach that is found within connect for one of that connection", () => {
    const bench = new Bench();
    bench.deferred = true;
    bench.onConnect = () => {
      bench.device.fail("it cannot be mapped");
    };
    bench.connect();
    assert.deepEqual([bench.state(), bench.device.connected], ["5", false]);
    assert.deepEqual(bench.calls, ["features", "connect 8", "disconnect"]);
    bench.write("state", 6);
    assert.equal(bench.state(), "5");
    assert.equal(bench.letGo(), 1);
    assert.equal(bench.state(), "6");
  });

  it("keeps the nodes of an unplugged device until then", () => {
    const bench = connected();
    bench.device.unplug();
    bench.write("state", 6);
    assert.equal(bench.state(), "5");
    bench.letGo();
    assert.equal(bench.driver.client.exists(BACKEND), false);
    assert.deepEqual(bench.calls, ["disconnect", "removed"]);
  });

  it("is removed afterwards when it is unplugged meanwhile, wherever the front end is", () => {
    for (const states of [[6], [6, 1], [6, 1, 3], [1], [3]]) {
      const bench = connected();
      for (const state of states) bench.write("state", state);
      bench.device.unplug();
      assert.equal(bench.driver.ask(1, 0, `READ ${BACKEND}/online|`), "0");
      assert.deepEqual(bench.calls, ["disconnect"]);
      bench.letGo();
      assert.equal(bench.driver.client.exists(BACKEND), false);
      assert.equal(bench.driver.client.exists(`/local/domain/1/${FRONTEND}`), false);
      assert.deepEqual(bench.calls, ["disconnect", "removed"]);
    }
  });

  it("takes a front end that starts over for one that let the unplugged device go", () => {
    const bench = connected();
    bench.device.unplug();
    bench.write("state", 1);
    bench.letGo();
    assert.deepEqual(bench.calls, ["disconnect", "removed"]);
  });

  it("removes the nodes of a stopped device afterwards, and does not follow the front end any more", () => {
    const bench = connected();
    bench.device.stop();
    bench.device.stop();
    bench.write("state", 1);
    assert.equal(bench.driver.client.exists(BACKEND), true);
    bench.letGo();
    assert.equal(bench.driver.client.exists(BACKEND), false);
    assert.deepEqual(bench.calls, ["disconnect", "removed"]);
  });

  it("says when it is abandoned, at once or afterwards, and leaves the nodes as they are", () => {
    const bench = connected();
    let abandoned = 0;
    bench.device.abandon(() => abandoned++);
    bench.device.abandon(() => abandoned++);
    bench.write("state", 6);
    assert.equal(abandoned, 0);
    bench.letGo();
    assert.equal(abandoned, 2);
    assert.equal(bench.state(), "4");
    bench.device.abandon(() => abandoned++);
    assert.equal(abandoned, 3);
    assert.deepEqual(bench.calls, ["disconnect"]);
  });

  it("is abandoned while a front end closes, or while it is unplugged: that goes no further", () => {
    for (const unplugged of [false, true]) {
      const bench = connected();
      if (unplugged) bench.device.unplug();
      bench.write("state", 6);
      const before = bench.state();
      let abandoned = 0;
      bench.device.abandon(() => abandoned++);
      assert.equal(abandoned, 0);
      bench.letGo();
      assert.equal(abandoned, 1);
      assert.equal(bench.state(), before);
      assert.deepEqual(bench.calls, ["disconnect"]);
    }
  });

  it("can be started anew before that, and is offered when the driver is free", () => {
    const bench = connected();
    let abandoned = 0;
    bench.device.abandon(() => abandoned++);
    bench.device.start();
    bench.driver.store.dispatch();
    assert.equal(bench.state(), "1");
    bench.letGo();
    assert.deepEqual([bench.state(), abandoned], ["2", 1]);
    bench.connect();
    assert.deepEqual(bench.calls, ["disconnect", "features", "connect 8"]);
  });

  it("does not take an answer twice: the next connection's is another", () => {
    const bench = new Bench();
    const answers: (() => void)[] = [];
    bench.onDisconnect = (done) => answers.push(done);
    bench.connect();
    bench.write("state", 6);
    answers[0]?.();
    bench.write("state", 1);
    bench.connect();
    bench.write("state", 6);
    answers[0]?.();
    assert.equal(bench.state(), "4");
    answers[1]?.();
    assert.equal(bench.state(), "6");
  });

  it("K15: asks once however often the front end changes its mind", () => {
    const bench = connected();
    for (let i = 0; i < 1000; i++) for (const state of [6, 1, 3, 4]) bench.write("state", state);
    assert.deepEqual(bench.calls, ["disconnect"]);
    bench.letGo();
    assert.equal(bench.state(), "4");
    assert.deepEqual(bench.calls, ["disconnect", "features", "connect 8"]);
  });

  it("XSA-350: connects only when the driver is free, whatever comes in whatever order", () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(0, 1, 3, 4, 5, 6, 7, "x").map((state) => ({ name: "state", state })) },
      { weight: 3, arbitrary: fc.constant({ name: "let go", state: 0 }) },
      { weight: 1, arbitrary: fc.constantFrom("unplug", "fail", "restart", "rm").map((name) => ({ name, state: 0 })) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const bench = connected();
        let held = true;
        bench.onConnect = () => {
          assert.equal(held, false, "nothing is held at a connect");
          held = true;
        };
        const letGo = (): void => {
          if (bench.asked) held = false;
          bench.letGo();
        };
        for (const { name, state } of steps) {
          if (name === "state") bench.write(name, state);
          else if (name === "let go") letGo();
          else if (name === "unplug") bench.device.unplug();
          else if (name === "fail" && bench.device.connected) bench.device.fail("breach");
          else if (name === "restart") {
            bench.device.abandon(() => undefined);
            bench.device.start();
          } else if (name === "rm") bench.driver.ask(1, 0, `RM ${FRONTEND}|`);
          bench.driver.store.dispatch();
          const told = bench.driver.client.read(`${BACKEND}/state`);
          if (told === "6" || told === "2") assert.equal(held, false, `${told} while the front end is held`);
        }
        bench.device.stop();
        letGo();
        assert.equal(held, false);
        assert.equal(bench.driver.client.exists(BACKEND), false);
        assert.equal(bench.calls.filter((call) => call === "removed").length >= 1, true);
      }),
      { numRuns: 200 },
    );
  });
});
