/** KVM's objects on this host: what we build from, without a machine around them. */
import assert from "node:assert/strict";
import { closeSync } from "node:fs";
import { applyBootState } from "../../../actors/boot-state.js";
import { CoalescedWrites } from "../../../actors/host/coalesced-writes.js";
import { allocate, mapAnonymous } from "../../../actors/host/host-memory.js";
import type { HostMemory } from "../../../actors/host/host-memory.js";
import { kvmSegment } from "../../../actors/host/kvm-abi.js";
import { IOAPIC_PINS, openKvm, Scratch, Vm } from "../../../actors/host/kvm.js";
import type { KvmDevice } from "../../../actors/host/kvm.js";
import { openLibc } from "../../../actors/host/libc.js";
import { Vcpu } from "../../../actors/host/vcpu.js";
import { VmmError } from "../../../shared/errors.js";
import { Lock } from "../../../shared/lock.js";
import { cannotRun } from "../../support/cannot-run.js";
import { requireKvm } from "../../support/require-kvm.js";
import { temporaryFolder } from "../../support/temporary.js";

const SCRATCH = 128 * 1024;
const MIB = 1 << 20;
const EINVAL = -22;
const MSR_IA32_TSC = 0x10;
const CR0_PE = 1;
const BOOT = { isBoot: true, apicId: 0, signature: 0x0a_0b0c, direct: false, hyperv: false, used: true };

describe("openKvm()", () => {
  const libc = openLibc();
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this);
  });

  it("opens this host's KVM and asks it for its capabilities", () => {
    const kvm = openKvm(libc);
    assert(kvm.capability("USER_MEMORY") > 0 && kvm.capability("MAX_VCPUS") >= 1);
    kvm.close();
  });

  /** [what, path, what the one line says] */
  const REFUSED: readonly (readonly [string, () => string, RegExp])[] = [
    [
      "no KVM at all (C7)",
      () => folder.path("kvm"),
      /^Cannot open .*kvm: it does not exist; load kvm_intel or kvm_amd/,
    ],
    ["something that is no KVM", () => folder.file("file", ""), /^Cannot use this KVM: API version -25, not 12$/],
  ];
  for (const [what, path, pattern] of REFUSED) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => openKvm(libc, path()),
        (error: unknown) =>
          error instanceof VmmError && error.code === "HOST_UNSUPPORTED" && pattern.test(error.message),
      );
    });
  }
});

describe("Vm and Vcpu", () => {
  const libc = openLibc();
  let memory: HostMemory;
  let kvm: KvmDevice;
  let vm: Vm;
  let vcpu: Vcpu;

  before(function () {
    requireKvm(this);
    kvm = openKvm(libc);
    const runBytes = kvm.must("GET_VCPU_MMAP_SIZE", 0, "size the run area");
    memory = allocate(libc, SCRATCH + runBytes + MIB);
    const scratch = new Scratch(memory, 0, SCRATCH);
    vm = Vm.create(libc, kvm, scratch);
    vm.enableCap("SPLIT_IRQCHIP", IOAPIC_PINS);
    const ram = SCRATCH + Math.ceil(runBytes / 4096) * 4096;
    assert.equal(vm.setMemoryRegion({ slot: 0, gpa: 0, size: MIB - 65_536, hva: memory.hva + ram }), 0);
    vcpu = new Vcpu(libc, vm.must("CREATE_VCPU", 0, "create a vCPU"), scratch, { offset: SCRATCH, length: runBytes });
  });

  after(() => {
    // Not made when the suite was skipped.
    if ((vm as Vm | undefined) === undefined) return;
    for (const device of [vcpu, vm]) device.close();
    closeSync(kvm.fd);
    mapAnonymous(libc, memory, 0, memory.buffer.byteLength);
  });

  it("gives -errno for memory that KVM refuses", () => {
    assert.equal(vm.setMemoryRegion({ slot: 1, gpa: 1, size: 4096, hva: memory.hva }), EINVAL);
  });

  it("says in one line what could not be done", () => {
    assert.throws(
      () => vm.must("CREATE_VCPU", 0, "create vCPU 0"),
      (error: unknown) =>
        error instanceof VmmError &&
        error.code === "HOST_SYSCALL" &&
        /^Cannot create vCPU 0: KVM_CREATE_VCPU failed with EEXIST/.test(error.message),
    );
  });

  it("keeps a clock that can be set", () => {
    vm.setClockNs(5e9);
    const now = vm.clockNs();
    assert(now >= 5e9 && now < 10e9);
    assert(vm.clockNs() >= now);
  });

  it("takes IOAPIC routes and MSIs", () => {
    const routes = new Uint32Array(IOAPIC_PINS * 3);
    routes.set([0xfee0_0000, 0, (1 << 15) | 0x31], 9 * 3);
    vm.setIoapicRoutes(routes);
    // The LAPIC is software-disabled at power-on: nobody takes it.
    assert.equal(vm.signalMsi(0xfee0_0000, 0, 0x31), false);
  });

  it("stores registers and reads them back", () => {
    const regs = vcpu.fetchRegs();
    regs.rax = 0x1122_3344_5566_7788n;
    regs.rip = 0x1000n;
    vcpu.storeRegs();
    assert.deepEqual([vcpu.fetchRegs().rax, vcpu.fetchRegs().rip], [0x1122_3344_5566_7788n, 0x1000n]);
  });

  it("reads and sets MSRs, and tells of those that KVM does not know", () => {
    const MSR_KERNEL_GS_BASE = 0xc000_0102;
    assert.equal(vcpu.setMsr(MSR_KERNEL_GS_BASE, 0xffff_8000_1234_5000n), true);
    assert.equal(vcpu.getMsr(MSR_KERNEL_GS_BASE), 0xffff_8000_1234_5000n);
  });

  it("powers a boot processor on as the manual says (applyBootState)", () => {
    applyBootState(vcpu, undefined, BOOT);
    const sregs = vcpu.fetchSregs();
    const cs = kvmSegment.view(sregs.cs.buffer).at(sregs.cs.byteOffset);
    // Intel SDM volume 3, table 10-1.
    assert.deepEqual([cs.selector, cs.base, cs.limit], [0xf000, 0xffff_0000, 0xffff]);
    assert.equal(sregs.cr0, 0x6000_0010);
    const { rip, rflags, rdx } = vcpu.fetchRegs();
    assert.deepEqual([rip, rflags, rdx], [0xfff0n, 2n, 0x0a_0b0cn]);
    // KVM_MP_STATE_RUNNABLE; another processor waits for INIT: 1.
    assert.equal(vcpu.getMpState(), 0);
    applyBootState(vcpu, undefined, { ...BOOT, isBoot: false });
    assert.equal(vcpu.getMpState(), 1);
  });

  it("gives a kernel without firmware a local APIC that is on (applyBootState)", () => {
    for (const used of [false, true]) {
      applyBootState(vcpu, undefined, { ...BOOT, direct: true, used });
      const lapic = new DataView(vcpu.getLapic().buffer);
      assert.deepEqual([lapic.getUint32(0xf0, true), lapic.getUint32(0x350, true)], [0x1ff, 0x700]);
    }
    applyBootState(vcpu, undefined, BOOT);
    assert.equal(new DataView(vcpu.getLapic().buffer).getUint32(0xf0, true), 0xff);
  });

  it("leaves nothing of the last run in a processor that is powered on again", () => {
    const view = new DataView(vcpu.getLapic().buffer);
    view.setUint32(0xf0, 0x1ff, true);
    view.setUint32(0x320, 0xec, true);
    vcpu.setLapic(new Uint8Array(view.buffer));
    vcpu.setMsr(0xc000_0082, 0x1234n);
    assert.equal(vcpu.injectPastLapic(0x31), true);
    applyBootState(vcpu, undefined, BOOT);
    const lapic = new DataView(vcpu.getLapic().buffer);
    // Software-disabled, the timer masked, and LINT0 open to the 8259 pair: Intel SDM volume 3, 11.4.7.1.
    assert.deepEqual(
      [0xf0, 0x320, 0x350].map((offset) => lapic.getUint32(offset, true)),
      [0xff, 0x1_0000, 0x700],
    );
    assert.equal(vcpu.getMsr(0xc000_0082), 0n);
    assert.equal(vcpu.injectPastLapic(0x32), true, "nothing is on its way in");
    applyBootState(vcpu, undefined, BOOT);
  });

  /** Real mode, at 0x1000. */
  function startAt(code: readonly number[]): void {
    applyBootState(vcpu, undefined, BOOT);
    const ramAt = SCRATCH + Math.ceil(vcpu.run.bytes.length / 4096) * 4096;
    new Uint8Array(memory.buffer).set(code, ramAt + 0x1000);
    const sregs = vcpu.fetchSregs();
    const cs = kvmSegment.view(sregs.cs.buffer).at(sregs.cs.byteOffset);
    cs.base = 0;
    cs.selector = 0;
    vcpu.storeSregs();
    const regs = vcpu.fetchRegs();
    regs.rip = 0x1000n;
    vcpu.storeRegs();
  }

  it("keeps writes to ports that were registered for that, until the vCPU leaves the guest for something else", function () {
    const page = kvm.capability("COALESCED_MMIO");
    if (kvm.capability("COALESCED_PIO") === 0) cannotRun(this, "this KVM keeps no writes to ports");
    assert.equal(vm.coalesceWrites(0x1f1, 5), 0);
    // mov dx, 0x1f1; mov al, 0x11; out dx, al; mov dx, 0x1f4; mov ax, 0x3322; out dx, ax; in al, 0x80; jmp to itself
    startAt([
      ...[0xba, 0xf1, 0x01, 0xb0, 0x11, 0xee],
      ...[0xba, 0xf4, 0x01, 0xb8, 0x22, 0x33, 0xef],
      ...[0xe4, 0x80, 0xeb, 0xfe],
    ]);
    const exit = vcpu.enter();
    assert(exit.kind === "io" && !exit.write && exit.port === 0x80);
    const seen: unknown[] = [];
    const lock = new Lock(new Int32Array(new SharedArrayBuffer(4)));
    const ring = SCRATCH + page * 4096;
    const writes = new CoalescedWrites(lock, memory.buffer, ring, {
      write: (port, size, value) => seen.push([port, size, value]),
    });
    writes.drain();
    assert.deepEqual(seen, [
      [0x1f1, 1, 0x11],
      [0x1f4, 2, 0x3322],
    ]);
    // KVM ends the `in` when it is entered again
    vcpu.run.setImmediateExit();
    assert.equal(vcpu.enter().kind, "interrupted");
    vcpu.run.clearImmediateExit();
  });

  it("runs to an exit, and comes back at once when told to", () => {
    // mov al, 0x5a; out 0x80, al; jmp to itself
    startAt([0xb0, 0x5a, 0xe6, 0x80, 0xeb, 0xfe]);
    const exit = vcpu.enter();
    assert(exit.kind === "io" && exit.write && exit.port === 0x80);
    assert.equal(vcpu.run.bytes[exit.dataOffset], 0x5a);
    vcpu.run.setImmediateExit();
    assert.equal(vcpu.enter().kind, "interrupted");
    vcpu.run.clearImmediateExit();
  });

  /** Whether the guest reads the TSC that KVM says it has. */
  function readsItsTsc(): boolean {
    // rdtsc; out 0x80, al
    startAt([0x0f, 0x31, 0xe6, 0x80]);
    const before = vcpu.getMsr(MSR_IA32_TSC) ?? 0n;
    assert.equal(vcpu.enter().kind, "io");
    const { rax, rdx } = vcpu.fetchRegs();
    const tsc = (rdx << 32n) | rax;
    return before <= tsc && tsc <= (vcpu.getMsr(MSR_IA32_TSC) ?? 0n);
  }

  it("has the guest's TSC after a triple fault that it had before", () => {
    const before = readsItsTsc();
    // ud2, with a table of interrupts that has no entries; in protected mode, as a KVM that interprets real mode may give up
    startAt([0x0f, 0x0b]);
    const sregs = vcpu.fetchSregs();
    sregs.cr0 |= CR0_PE;
    sregs.idtLimit = 0;
    vcpu.storeSregs();
    assert.equal(vcpu.enter().kind, "shutdown");
    assert.equal(readsItsTsc(), before);
  });

  it("injects an interrupt past the LAPIC once, while another is on its way", () => {
    applyBootState(vcpu, undefined, BOOT);
    assert.equal(vcpu.injectPastLapic(0x31), true);
    assert.equal(vcpu.injectPastLapic(0x32), false);
  });
});
