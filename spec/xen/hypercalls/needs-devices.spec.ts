import assert from "node:assert/strict";
import { Hvmop } from "../../../xen/abi/hvm.js";
import { HypercallNumber } from "../../../xen/abi/xen.js";
import { needsDevices } from "../../../xen/hypercalls/needs-devices.js";

function needs(name: keyof typeof HypercallNumber, subOperation = 0): boolean {
  return needsDevices({ number: HypercallNumber[name], lo: () => subOperation });
}

describe("needsDevices()", () => {
  it("lets a kernel ask who it runs on, and place its shared pages, at once", () => {
    assert.deepEqual(
      (["xen_version", "memory_op", "vcpu_op"] as const).map((name) => needs(name)),
      [false, false, false],
    );
    assert.deepEqual([needs("hvm_op", Hvmop.set_param), needs("hvm_op", Hvmop.pagetable_dying)], [false, false]);
  });

  it("has it wait where it is told of the store and the console, and where it may notify a back end", () => {
    assert(needs("hvm_op", Hvmop.get_param));
    for (const name of ["event_channel_op", "event_channel_op_compat", "sched_op", "grant_table_op"] as const) {
      assert(needs(name), name);
    }
    assert(needs("console_io"));
  });

  it("has a multicall wait, whatever is in it", () => {
    assert(needs("multicall"));
  });
});
