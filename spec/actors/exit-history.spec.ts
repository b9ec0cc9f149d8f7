import assert from "node:assert/strict";
import { ExitHistory } from "../../actors/exit-history.js";
import type { VmExit } from "../../actors/host/exit.js";

const io = (port: number): VmExit => ({ kind: "io", write: true, port, size: 1, count: 1, dataOffset: 0 }) as VmExit;

describe("ExitHistory", () => {
  it("keeps the last 16 exits, oldest first", () => {
    const history = new ExitHistory();
    for (let port = 0; port < 20; port++) history.record(io(port));
    assert.equal(history.count, 20);
    assert.deepEqual(
      history.lines(),
      Array.from({ length: 16 }, (_, i) => `io 0x${(i + 4).toString(16)}`),
    );
  });

  it("names each kind of exit, with what it was about", () => {
    const history = new ExitHistory();
    const exits = [
      { kind: "mmio", write: false, address: 0xfec0_0000, size: 4, dataOffset: 0 },
      { kind: "wrmsr", index: 0x4000_0000, low: 0, high: 0 },
      { kind: "ioapic-eoi", vector: 0x31 },
      { kind: "xen", longMode: true, cpl: 0 },
      { kind: "internal-error", suberror: 1, data: [] },
      { kind: "unknown", reason: 99 },
      { kind: "hlt" },
      { kind: "hyperv", hypercall: true },
      { kind: "system-event", event: 2 },
    ] as VmExit[];
    for (const exit of exits) history.record(exit);
    assert.deepEqual(history.lines(), [
      "mmio 0xfec00000",
      "wrmsr 0x40000000",
      "ioapic-eoi 0x31",
      "xen",
      "internal-error 0x1",
      "unknown 0x63",
      "hlt",
      "hyperv",
      "system-event",
    ]);
  });

  it("starts anew after a reset", () => {
    const history = new ExitHistory();
    history.record(io(1));
    history.reset();
    assert.deepEqual([history.count, history.lines()], [0, []]);
  });
});
