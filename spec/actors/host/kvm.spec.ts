import assert from "node:assert/strict";
import { KvmDevice, Scratch, Vm } from "../../../actors/host/kvm.js";
import { ERRNO } from "../../../actors/host/libc.js";
import type { Libc } from "../../../actors/host/libc.js";

/** A C library of which every call is given the next of `results`, the last one again and again. */
function libcThatGives(results: readonly number[]): { readonly libc: Libc; calls: number } {
  const seen = {
    calls: 0,
    libc: { fastBinding: "koffi", fast: call, syscall: call, addressOf: () => 0 } satisfies Libc,
  };
  function call(): number {
    return results[Math.min(seen.calls++, results.length - 1)] ?? 0;
  }
  return seen;
}

function create(libc: Libc): Vm {
  const memory = { buffer: new SharedArrayBuffer(65_536), hva: 0 };
  return Vm.create(libc, new KvmDevice(libc, 3), new Scratch(memory, 0, 65_536));
}

describe("Vm.create()", () => {
  it("asks again when a signal has come in between", () => {
    const seen = libcThatGives([-ERRNO.EINTR, -ERRNO.EINTR, 42]);
    assert.equal(create(seen.libc).fd, 42);
    assert.equal(seen.calls, 3);
  });

  it("gives up when signals never end", () => {
    const { libc } = libcThatGives([-ERRNO.EINTR]);
    assert.throws(() => create(libc), /^VmmError: Cannot create a virtual machine: KVM_CREATE_VM failed with EINTR$/);
  });

  it("does not ask again for another reason", () => {
    const seen = libcThatGives([-ERRNO.ENOMEM, 42]);
    assert.throws(() => create(seen.libc), /KVM_CREATE_VM failed with ENOMEM/);
    assert.equal(seen.calls, 1);
  });
});
