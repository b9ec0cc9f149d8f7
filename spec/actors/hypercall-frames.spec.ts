import assert from "node:assert/strict";
import { KernelFrame, RegisterFrame } from "../../actors/hypercall-frames.js";
import { KvmRun } from "../../actors/host/exit.js";
import { kvmRegs } from "../../actors/host/kvm-abi.js";
import { vcpuId } from "../../shared/brand.js";
import { kvmReference, runOffset } from "../support/kvm-reference.js";

/** -ENOSYS as Xen's ABI gives it, in 64 and in 32 bits. */
const ENOSYS = -38;

function runArea(): KvmRun {
  return new KvmRun(new SharedArrayBuffer(3 * 4096), 0, 3 * 4096);
}

function register(name: string): number {
  return runOffset("regs") + (kvmReference.structs["kvmRegs"]?.offsets[name] ?? NaN);
}

function set(run: KvmRun, values: Readonly<Record<string, bigint>>): void {
  for (const [name, value] of Object.entries(values)) run.view.setBigUint64(register(name), value, true);
}

const parts = (frame: { lo(index: number): number; hi(index: number): number }): number[][] =>
  [0, 1, 2, 3, 4].map((index) => [frame.hi(index), frame.lo(index)]);

describe("RegisterFrame", () => {
  it("takes the arguments of a 64-bit guest from rdi, rsi, rdx, r10, r8", () => {
    const run = runArea();
    set(run, {
      rax: 0xffff_ffff_0000_0011n,
      rdi: 0x1_0000_0001n,
      rsi: 0x2_0000_0002n,
      rdx: 0x3_0000_0003n,
      r10: 0x4_0000_0004n,
      r8: 0x5_0000_0005n,
    });
    const frame = new RegisterFrame(vcpuId(1), run);
    frame.fetch(true, 3);
    assert.deepEqual([frame.vcpu, frame.number, frame.longMode, frame.cpl], [1, 17, true, 3]);
    assert.deepEqual(parts(frame), [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [5, 5],
    ]);
  });

  it("takes those of a 32-bit guest from ebx, ecx, edx, esi, edi, without their upper halves (H6)", () => {
    const run = runArea();
    const rubbish = 0xdead_beef_0000_0000n;
    set(run, {
      rax: rubbish + 17n,
      rbx: rubbish + 1n,
      rcx: rubbish + 2n,
      rdx: rubbish + 3n,
      rsi: rubbish + 4n,
      rdi: rubbish + 5n,
    });
    const frame = new RegisterFrame(vcpuId(0), run);
    frame.fetch(false, 0);
    assert.equal(frame.number, 17);
    assert.deepEqual(parts(frame), [
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 4],
      [0, 5],
    ]);
  });

  it("gives a negative result sign-extended to 64 bits, and marks the registers as changed", () => {
    const run = runArea();
    const frame = new RegisterFrame(vcpuId(0), run);
    frame.fetch(true, 0);
    frame.result = ENOSYS;
    frame.finish();
    assert.equal(run.view.getBigInt64(register("rax"), true), -38n);
    assert.equal(run.view.getBigUint64(runOffset("dirtyRegs"), true), 1n);
  });

  it("gives a 32-bit guest a result of 32 bits", () => {
    const run = runArea();
    const frame = new RegisterFrame(vcpuId(0), run);
    frame.fetch(false, 0);
    frame.result = ENOSYS;
    frame.finish();
    assert.equal(run.view.getBigUint64(register("rax"), true), 0xffff_ffdan);
  });

  it("starts every call with a result of 0", () => {
    const run = runArea();
    const frame = new RegisterFrame(vcpuId(0), run);
    frame.result = ENOSYS;
    frame.fetch(true, 0);
    assert.equal(frame.result, 0);
  });

  it("carries results beyond 32 bits", () => {
    const run = runArea();
    const frame = new RegisterFrame(vcpuId(0), run);
    frame.fetch(true, 0);
    frame.result = 2 ** 40 + 7;
    frame.finish();
    assert.equal(run.view.getBigUint64(register("rax"), true), 2n ** 40n + 7n);
  });
});

describe("KernelFrame", () => {
  it("takes number and arguments from the exit, and leaves the result there", () => {
    const run = runArea();
    run.view.setBigUint64(runOffset("xenInput"), 32n, true);
    for (let i = 0; i < 6; i++) {
      run.view.setBigUint64(runOffset("xenParams") + i * 8, BigInt(i) * 0x1_0000_0001n, true);
    }
    const frame = new KernelFrame(vcpuId(2), run);
    frame.fetch(true, 0);
    assert.deepEqual([frame.vcpu, frame.number, frame.longMode], [2, 32, true]);
    assert.deepEqual(parts(frame), [
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ]);
    frame.result = ENOSYS;
    frame.finish();
    assert.equal(run.view.getBigInt64(runOffset("xenResult"), true), -38n);
  });
});

describe("rewind()", () => {
  const registers = (): Parameters<KernelFrame["rewind"]>[0] => {
    const view = kvmRegs.view(new ArrayBuffer(kvmRegs.size));
    view.rip = 0xffff_8000_0000_1003n;
    view.rdx = 0xdddd_dddd_dddd_ddddn;
    return view;
  };

  it("takes the guest back to its vmcall, with the arguments that were set and no others", () => {
    const run = runArea();
    run.view.setUint32(KvmRun.XEN_INPUT, 13, true);
    const frame = new KernelFrame(vcpuId(0), run);
    frame.fetch(true, 0);
    frame.set(0, 0x1234, 0x5678_9abc);
    frame.set(1, 0, 7);
    const regs = registers();
    frame.rewind(regs);
    assert.deepEqual(
      [regs.rip, regs.rax, regs.rdi, regs.rsi, regs.rdx],
      [0xffff_8000_0000_1000n, 13n, 0x1234_5678_9abcn, 7n, 0xdddd_dddd_dddd_ddddn],
    );
  });

  it("takes a 32-bit guest back to the out of its stub", () => {
    const run = runArea();
    set(run, { rax: 13n });
    const frame = new RegisterFrame(vcpuId(0), run);
    frame.fetch(false, 0);
    frame.set(0, 0, 0x9abc_def0);
    frame.set(1, 0, 5);
    const regs = registers();
    frame.rewind(regs);
    assert.deepEqual(
      [regs.rip, regs.rax, regs.rbx, regs.rcx, regs.rdx],
      [0xffff_8000_0000_1001n, 13n, 0x9abc_def0n, 5n, 0xdddd_dddd_dddd_ddddn],
    );
  });

  it("forgets the arguments of an earlier call", () => {
    const frame = new KernelFrame(vcpuId(0), runArea());
    frame.fetch(true, 0);
    frame.set(2, 0, 5);
    frame.fetch(true, 0);
    frame.set(0, 0, 9);
    const regs = registers();
    frame.rewind(regs);
    assert.deepEqual([regs.rdi, regs.rdx], [9n, 0xdddd_dddd_dddd_ddddn]);
  });
});
