import assert from "node:assert/strict";
import { SharedArena } from "../../shared/arena.js";
import { IrqRouter } from "../../devices/irq-router.js";
import { smallArena } from "./port-driver.js";

class Board {
  readonly calls: string[] = [];
  pirq = 10;
  readonly arena = smallArena();
  readonly router = this.build();

  build(): IrqRouter {
    return new IrqRouter(this.arena, {
      set: (gsi, level) => {
        this.calls.push(`${gsi}=${level}`);
      },
      intxGsi: () => this.pirq,
    });
  }
}

function board(): Board {
  const result = new Board();
  result.router.reset();
  return result;
}

describe("IrqRouter", () => {
  it("passes each change of a line on once", () => {
    const { router, calls } = board();
    const line = router.isa(4);
    line.set(1);
    line.set(1);
    line.set(0);
    assert.deepEqual(calls, ["4=1", "4=0"]);
  });

  it("keeps a shared interrupt up until the last source lets go", () => {
    const { router, calls } = board();
    const first = router.isa(4);
    const second = router.isa(4);
    first.set(1);
    second.set(1);
    first.set(0);
    assert.deepEqual(calls, ["4=1"]);
    second.set(0);
    assert.deepEqual(calls, ["4=1", "4=0"]);
  });

  it("moves an asserted PCI line when the guest routes it elsewhere", () => {
    const test = board();
    const line = test.router.intx(2, 1);
    line.set(1);
    test.pirq = 11;
    test.router.routesChanged();
    assert.deepEqual(test.calls, ["10=1", "10=0", "11=1"]);
  });

  it("drops a PCI line that is routed nowhere", () => {
    const test = board();
    test.pirq = -1;
    test.router.intx(2, 1).set(1);
    assert.deepEqual(test.calls, []);
  });

  it("takes a movable line's level along", () => {
    const { router, calls } = board();
    const line = router.movable();
    line.set(1);
    line.toGsi(9);
    line.toIntx(2, 1);
    line.detach();
    assert.deepEqual(calls, ["9=1", "9=0", "10=1", "10=0"]);
  });

  it("ignores interrupts that the board does not have", () => {
    const { router, calls } = board();
    const line = router.movable();
    line.set(1);
    line.toGsi(24);
    line.toGsi(-5);
    assert.deepEqual(calls, []);
  });

  it("shares its levels with the router of another thread", () => {
    const test = board();
    const second = new IrqRouter(new SharedArena(test.arena.buffer), {
      set: (gsi, level) => {
        test.calls.push(`second ${gsi}=${level}`);
      },
      intxGsi: () => 10,
    });
    test.router.isa(4).set(1);
    second.isa(4).set(0);
    assert.deepEqual(test.calls, ["4=1", "second 4=0"]);
  });

  it("keeps its levels over save and restore without driving anything", () => {
    const test = board();
    const line = test.router.isa(4);
    line.set(1);
    const state = structuredClone(test.router.save());
    test.router.reset();
    test.calls.length = 0;
    test.router.restore(state);
    assert.deepEqual(test.calls, []);
    line.set(0);
    assert.deepEqual(test.calls, ["4=0"]);
  });
});
