import assert from "node:assert/strict";
import { IoapicRoutes } from "../../actors/ioapic-routes.js";
import type { Vm } from "../../actors/host/kvm.js";
import type { IoApic } from "../../devices/ioapic.js";
import { SharedArena } from "../../shared/arena.js";

const LEVEL = 1 << 15;
const PINS = 24;

interface Route {
  address: number;
  data: number;
  masked: boolean;
}

/** An IOAPIC and a KVM of which only the routes are there. */
class Fixture {
  readonly pins: Route[] = Array.from({ length: PINS }, () => ({ address: 0, data: 0, masked: true }));
  /** Each table that KVM was given: [pin, address low, address high, data] of the routes in it. */
  readonly tables: number[][][] = [];
  readonly routes: IoapicRoutes;

  constructor() {
    const vm = {
      setIoapicRoutes: (words: Uint32Array) => {
        const rows = Array.from({ length: PINS }, (_, pin) => [pin, ...words.subarray(pin * 3, pin * 3 + 3)]);
        this.tables.push(rows.filter((row) => row[3] !== 0));
      },
    };
    this.routes = new IoapicRoutes(new SharedArena(new SharedArrayBuffer(1024)), vm as unknown as Vm);
    this.routes.connect({ route: (pin: number) => this.pins[pin] } as unknown as IoApic);
  }

  set(pin: number, route: Partial<Route>): void {
    Object.assign(this.pins[pin] ?? {}, route);
    this.routes.update();
  }
}

describe("IoapicRoutes", () => {
  it("gives KVM the level-triggered pins that are not masked", () => {
    const fixture = new Fixture();
    fixture.set(9, { address: 0xfee0_1000, data: LEVEL | 0x31, masked: false });
    assert.deepEqual(fixture.tables, [[[9, 0xfee0_1000, 0, LEVEL | 0x31]]]);
  });

  it("splits addresses of x2APIC destinations", () => {
    const fixture = new Fixture();
    fixture.set(9, { address: 0x100 * 2 ** 32 + 0xfee0_1000, data: LEVEL | 0x31, masked: false });
    assert.deepEqual(fixture.tables, [[[9, 0xfee0_1000, 0x100, LEVEL | 0x31]]]);
  });

  it("does not trouble KVM, which waits for a grace period, with what it need not know", () => {
    const fixture = new Fixture();
    fixture.set(2, { address: 0xfee0_0000, data: 0x30, masked: false });
    fixture.set(9, { address: 0xfee0_0000, data: LEVEL | 0x31, masked: true });
    fixture.set(2, { data: 0x32 });
    assert.deepEqual(fixture.tables, []);
  });

  it("tells nothing twice", () => {
    const fixture = new Fixture();
    fixture.set(9, { address: 0xfee0_1000, data: LEVEL | 0x31, masked: false });
    fixture.set(9, {});
    assert.equal(fixture.tables.length, 1);
  });

  it("takes a route back when its pin is masked or becomes edge-triggered", () => {
    const fixture = new Fixture();
    fixture.set(9, { address: 0xfee0_1000, data: LEVEL | 0x31, masked: false });
    fixture.set(9, { masked: true });
    fixture.set(9, { masked: false });
    fixture.set(9, { data: 0x31 });
    assert.deepEqual(
      fixture.tables.map((table) => table.length),
      [1, 0, 1, 0],
    );
  });
});
