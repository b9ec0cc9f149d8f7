import assert from "node:assert/strict";
import { describeVcpu } from "../../actors/crash-report.js";
import { ExitHistory } from "../../actors/exit-history.js";
import type { VmExit } from "../../actors/host/exit.js";
import { kvmRegs, kvmSegment, kvmSregs } from "../../actors/host/kvm-abi.js";
import type { Vcpu } from "../../actors/host/vcpu.js";
import { gpa } from "../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../shared/memory.js";

const PAGE = 4096;

/** A vCPU whose registers are what `set` makes them. */
function vcpuWith(rip: bigint, csBase: number): Vcpu {
  const regs = kvmRegs.view(new SharedArrayBuffer(kvmRegs.size));
  regs.rip = rip;
  regs.rflags = 2n;
  regs.rax = 0xdead_beef_cafe_f00dn;
  const sregs = kvmSregs.view(new SharedArrayBuffer(kvmSregs.size));
  const cs = kvmSegment.view(sregs.cs.buffer).at(sregs.cs.byteOffset);
  cs.selector = 0x10;
  cs.base = csBase;
  cs.limit = 0xffff_ffff;
  sregs.cr3 = 0x1000;
  sregs.cr2 = 0xffff_8000_0000_0000n;
  return { fetchRegs: () => regs, fetchSregs: () => sregs } as unknown as Vcpu;
}

function report(
  rip: bigint,
  csBase: number,
  translate: (hi: number, lo: number) => number,
  last: VmExit = { kind: "shutdown" },
): string {
  const memory = new GuestMemory([new MemoryRegion(gpa(0), 2 * PAGE, new SharedArrayBuffer(2 * PAGE))]);
  memory.write(
    0x1ff0,
    Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i),
  );
  const history = new ExitHistory();
  history.record(last);
  const interrupts = ["halted; lapic"];
  return describeVcpu({ index: 3, vcpu: vcpuWith(rip, csBase), memory, history, interrupts, translate });
}

describe("describeVcpu()", () => {
  it("gives registers, the instruction's bytes and the last exits", () => {
    const text = report(0x1ff8n, 0, (_, lo) => lo);
    assert.match(text, /^vCPU 3:\n {2}rip 0000000000001ff8 rflags 0000000000000002\n/);
    assert.match(text, /\n {2}rax deadbeefcafef00d rbx 0{16} /);
    assert.match(text, /\n {2}cs 0010 base 0{16} limit ffffffff dpl 0\n/);
    assert.match(text, /\n {2}halted; lapic\n/);
    assert.match(text, /cr2 ffff800000000000 cr3 0000000000001000/);
    // No further than the end of the page.
    assert.match(text, /\n {2}code f8 f9 fa fb fc fd fe ff\n/);
    assert.match(text, /\n {2}last exits: shutdown$/);
  });

  it("adds the segment's base to find the instruction, in 64 bits", () => {
    const asked: number[][] = [];
    report(0xffff_ffff_8100_0000n, 0xffff_0000, (hi, lo) => {
      asked.push([hi, lo]);
      return -1;
    });
    // 0xffffffff81000000 + 0xffff0000 wraps past 2^64.
    assert.deepEqual(asked, [[0, 0x80ff_0000]]);
  });

  it("says when these are the registers of a reset, which KVM makes on AMD processors", () => {
    const nowhere = (): number => -1;
    assert.match(
      report(0xfff0n, 0xffff_0000, nowhere),
      /^vCPU 3:\n {2}as after a reset: [^\n]+\n {2}rip 000000000000fff0 /,
    );
    assert.doesNotMatch(report(0xfff0n, 0, nowhere), /after a reset/);
    assert.doesNotMatch(report(0n, 0xffff_0000, nowhere), /after a reset/);
    // A processor that waits for its SIPI looks like that, too
    assert.doesNotMatch(report(0xfff0n, 0xffff_0000, nowhere, { kind: "hlt" }), /after a reset/);
  });

  it("says when the instruction is nowhere", () => {
    assert.match(
      report(0x10n, 0, () => -1),
      /code at 0000000000000010 is not mapped/,
    );
    assert.match(
      report(0x10n, 0, () => 0x10_0000),
      /code at guest-physical 0000000000100000 is not memory/,
    );
  });
});
