import assert from "node:assert/strict";
import { GuestClock } from "../../actors/guest-clock.js";
import { MachineClock } from "../../actors/machine-clock.js";
import { SharedArena } from "../../shared/arena.js";

/** A KVM clock that the test sets forward by hand. */
class Fixture {
  readonly calls: string[] = [];
  kvmNs = 7e9;
  readonly machine = new MachineClock(new SharedArena(new SharedArrayBuffer(256)));
  readonly clock: GuestClock;

  constructor() {
    this.machine.reset();
    this.clock = new GuestClock({
      clock: this.machine,
      vm: {
        clockNs: () => {
          this.calls.push(this.machine.running ? "read while time goes on" : "read");
          return this.kvmNs;
        },
        setClockNs: (ns) => {
          this.calls.push(this.machine.running ? "set while time goes on" : "set");
          this.kvmNs = ns;
        },
      },
      bell: { ring: () => this.calls.push(this.machine.running ? "ring" : "ring too early") },
    });
  }
}

describe("GuestClock", () => {
  it("leaves KVM's clock as it is when the machine is switched on", () => {
    const { calls, clock, machine } = new Fixture();
    clock.start();
    assert.deepEqual(calls, ["ring"]);
    assert.equal(machine.guestMovedNs, 0);
  });

  it("goes on after a stop from where it stood, and never before the machine's own has stopped", () => {
    const fixture = new Fixture();
    const { calls, clock, machine } = fixture;
    clock.start();
    clock.stop();
    assert.equal(machine.guestHeldNs, 7e9);
    fixture.kvmNs += 3e9;
    calls.length = 0;
    clock.start();
    assert.equal(fixture.kvmNs, 7e9);
    assert.deepEqual(calls, ["read", "set", "ring"]);
    assert.equal(machine.guestHeldNs, -1);
  });

  it("adds up how far it was set back", () => {
    const fixture = new Fixture();
    for (const ns of [3e9, 5e9]) {
      fixture.clock.start();
      fixture.clock.stop();
      fixture.kvmNs += ns;
    }
    fixture.clock.start();
    assert.equal(fixture.machine.guestMovedNs, 8e9);
  });

  it("goes on without a stop for a guest that starts over", () => {
    const fixture = new Fixture();
    fixture.clock.start();
    fixture.clock.stop();
    fixture.kvmNs += 3e9;
    fixture.clock.letGo();
    fixture.clock.start();
    assert.equal(fixture.kvmNs, 10e9);
  });
});
