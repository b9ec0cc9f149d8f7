/** What Xen asks of one thread, with a thread of which only the needed parts are there. */
import assert from "node:assert/strict";
import { XenHostOfThread } from "../../actors/xen-host.js";
import type { XenThread } from "../../actors/xen-host.js";
import { KvmXenFlag } from "../../actors/host/kvm-abi.js";
import type { Gfn } from "../../shared/brand.js";
import { evtchnPort, vcpuId, vector } from "../../shared/brand.js";
import { logTo } from "../../shared/log.js";
import { VcpuRequest } from "../../xen/host.js";

const ALL_FLAGS = 0x1ff;

class Fixture {
  readonly calls: unknown[][] = [];
  now = 1e9;
  guestClock = 400e6;
  /** Of the machine's clock: a pause moves it. */
  originNs = 5e9;
  /** Negative while it runs. */
  guestHeldNs = -1;
  /** Runs while the guest's clock is read. */
  readingGuest: () => void = () => undefined;
  /** All vCPUs are out of the guest. */
  held = false;
  /** What KVM says to memory slots; 0 when there is nothing left. */
  readonly slotResults: number[] = [];
  readonly host: XenHostOfThread;

  constructor(transport: { kind: string; flags?: number } = { kind: "userspace" }) {
    const note =
      (name: string, result: unknown = 0) =>
      (...args: unknown[]): unknown => {
        this.calls.push([name, ...args]);
        return result;
      };
    const origin = () => this.originNs;
    const held = () => this.guestHeldNs;
    const thread = {
      log: logTo("test", () => undefined),
      parts: {
        transport,
        apicIds: [0, 2, 300],
        kicks: [70, 71],
        memory: { control: { hva: 0x7f00_0000_0000 }, layout: { overlays: 0x5000 } },
      },
      libc: { fast: note("fast") },
      vm: {
        clockNs: () => {
          this.readingGuest();
          return this.guestClock;
        },
        signalMsi: note("msi"),
        xenSetAttr: note("attribute"),
        setMemoryRegion: (region: { readonly slot: number; readonly gpa: number; readonly size: number }) => {
          this.calls.push(["slot", region.slot, region.gpa, region.size, this.held]);
          return this.slotResults.shift() ?? 0;
        },
        xenRouteEvtchn: (route: unknown) => {
          this.calls.push(["route", route, this.held]);
        },
        xenSendEvtchn: note("send"),
      },
      clock: {
        nowNs: () => this.now,
        get originNs() {
          return origin();
        },
        get guestHeldNs() {
          return held();
        },
      },
      kicks: {
        request: note("request"),
        requestAll: note("request all"),
        pollWait: note("poll"),
        wakePoll: note("wake"),
        whileHeld: (work: () => unknown) => {
          this.held = true;
          const result = work();
          this.held = false;
          return result;
        },
      },
      lifecycle: { end: note("end") },
      deadlines: { arm: note("arm") },
      guestKicks: [{ ring: note("ring 0") }, { ring: note("ring 1") }],
      callback: { want: note("want") },
      board: { piix3: { intxGsi: (_: number, pin: number) => (pin === 1 ? 11 : -1) }, router: { level: () => 1 } },
      wallClockMs: () => 1234,
      xenConsoleWrite: note("console"),
    };
    this.host = new XenHostOfThread(thread as unknown as XenThread);
  }
}

describe("XenHostOfThread", () => {
  it("extends the guest's clock by the machine's, and reads it again after a while", () => {
    const fixture = new Fixture();
    assert.equal(fixture.host.systemTimeNs(), 400e6);
    fixture.now += 50e6;
    fixture.guestClock = 999e6;
    assert.equal(fixture.host.systemTimeNs(), 450e6);
    fixture.now += 51e6;
    assert.equal(fixture.host.systemTimeNs(), 999e6);
  });

  it("is never ahead of the guest's clock, though its thread lose the processor between two readings", () => {
    const fixture = new Fixture();
    // The machine's clock goes on by 5 ms, then 1 ms, then 10 us, while the guest's is read.
    const pauses = [5e6, 1e6, 10e3, 700e6];
    fixture.readingGuest = () => {
      fixture.now += pauses.shift() ?? 0;
    };
    assert.equal(fixture.host.systemTimeNs(), 400e6);
    fixture.now += 50e6;
    assert.equal(fixture.host.systemTimeNs(), 450e6);
    assert.deepEqual(pauses, [700e6]);
  });

  it("reads the guest's clock again after a pause, which it was not to show", () => {
    const fixture = new Fixture();
    fixture.host.systemTimeNs();
    fixture.guestClock += 30e6;
    fixture.originNs += 30e6;
    assert.equal(fixture.host.systemTimeNs(), 430e6);
  });

  it("goes by the guest's clock where that is held, not by KVM's, which goes on", () => {
    const fixture = new Fixture();
    fixture.guestHeldNs = 390e6;
    fixture.guestClock = 5e9;
    assert.equal(fixture.host.systemTimeNs(), 390e6);
  });

  it("arms timers in machine time", () => {
    const fixture = new Fixture();
    fixture.host.armTimer(vcpuId(1), 500e6);
    // 100 ms ahead of the guest's now, which is 1 s of the machine.
    assert.deepEqual(fixture.calls, [["arm", 4, 1.1e9]]);
    fixture.host.armTimer(vcpuId(0), Infinity);
    assert.deepEqual(fixture.calls.at(-1), ["arm", 3, Infinity]);
  });

  it("flushes TLBs by a memory slot that comes and goes while no vCPU runs", () => {
    const fixture = new Fixture();
    fixture.host.flushTlbs();
    assert.deepEqual(fixture.calls, [
      ["slot", 499, 0xfeff_7000, 4096, true],
      ["slot", 499, 0xfeff_7000, 0, true],
    ]);
  });

  it("is content when another vCPU's flush has taken the slot away, but not when KVM fails", () => {
    const fixture = new Fixture();
    fixture.slotResults.push(0, -22);
    fixture.host.flushTlbs();
    fixture.slotResults.push(-12);
    assert.throws(() => {
      fixture.host.flushTlbs();
    }, /flush translations/);
  });

  it("injects vectors by MSI to the vCPU's APIC id, beyond 8 bits in the high half", () => {
    const fixture = new Fixture();
    fixture.host.injectVector(vcpuId(1), vector(0xf3));
    fixture.host.injectVector(vcpuId(2), vector(0xf3));
    assert.deepEqual(fixture.calls, [
      ["msi", 0xfee0_2000, 0, 0xf3],
      ["msi", 0xfee2_c000, 0x100, 0xf3],
    ]);
  });

  it("rings the actor that owns a back end", () => {
    const fixture = new Fixture();
    fixture.host.signalBackend(evtchnPort(9), 1);
    fixture.host.signalBackend(evtchnPort(9), 5);
    assert.deepEqual(fixture.calls, [["ring 1"]]);
  });

  it("leaves the callback's line to vCPU 0", () => {
    const fixture = new Fixture();
    fixture.host.setCallbackGsi(20, 1);
    assert.deepEqual(fixture.calls, [
      ["want", 20, 1],
      ["request", 0, VcpuRequest.callback],
    ]);
  });

  it("knows which GSI a PCI pin has, if any", () => {
    const { host } = new Fixture();
    assert.deepEqual(
      [host.pciIntxGsi(2, 0), host.pciIntxGsi(2, 1), host.gsiLevel(9), host.gsiLevel(24)],
      [11, undefined, 1, 0],
    );
  });

  it("ends the machine for the guest's reason, and gets the vCPUs out", () => {
    const reasons = [
      ["poweroff", "poweroff"],
      ["reboot", "reset"],
      ["crash", "crash"],
      ["suspend", "suspend"],
      ["watchdog", "watchdog"],
      ["soft_reset", "soft-reset"],
    ] as const;
    for (const [reason, end] of reasons) {
      const fixture = new Fixture();
      fixture.host.shutdown(vcpuId(1), reason);
      assert.deepEqual(fixture.calls, [
        ["end", end, 1],
        ["request all", VcpuRequest.control],
      ]);
    }
  });

  it("does not sleep for a poll that is due", () => {
    const fixture = new Fixture();
    fixture.host.pollWait(vcpuId(0), 300e6);
    assert.deepEqual(fixture.calls, []);
    fixture.host.pollWait(vcpuId(0), 405e6);
    assert.deepEqual(fixture.calls, [["poll", 0, 5]]);
  });

  it("has no kernel to offload to on the userspace transport", () => {
    assert.equal(new Fixture().host.kernel, undefined);
  });
});

describe("XenHostOfThread with KVM's Xen support", () => {
  it("routes what a guest sends: to a port of a vCPU, to an actor's eventfd, to nowhere", () => {
    const fixture = new Fixture({ kind: "kernel", flags: ALL_FLAGS });
    const { kernel } = fixture.host;
    kernel?.route(evtchnPort(5), { kind: "port", vcpu: vcpuId(1) } as never);
    kernel?.route(evtchnPort(6), { kind: "backend", owner: 1 } as never);
    kernel?.route(evtchnPort(5), undefined);
    const [IPI, INTERDOMAIN, DEASSIGN] = [5, 2, 1];
    assert.deepEqual(fixture.calls, [
      ["route", { sendPort: 5, type: IPI, flags: 0, port: 5, vcpuOrFd: 2 }, false],
      ["route", { sendPort: 6, type: INTERDOMAIN, flags: 0, port: 0, vcpuOrFd: 71 }, false],
      // KVM waits for its pollers there: all vCPUs are out.
      ["route", { sendPort: 5, type: 0, flags: DEASSIGN, port: 0, vcpuOrFd: 0 }, true],
    ]);
  });

  it("uses only what the host's KVM has", () => {
    const bare = new Fixture({
      kind: "kernel",
      flags: ALL_FLAGS & ~(KvmXenFlag.EVTCHN_SEND | KvmXenFlag.RUNSTATE_UPDATE_FLAG),
    });
    const { kernel } = bare.host;
    assert.equal(kernel?.sendsEvents, false);
    kernel.route(evtchnPort(5), undefined);
    assert.equal(kernel.setRunstateUpdateFlag(true), false);
    assert.deepEqual(bare.calls, []);
  });

  it("tells KVM where shared_info is by frame, or by our address of it", () => {
    const [SHARED_INFO, SHARED_INFO_HVA, NOWHERE] = [1, 6, -1];
    const byFrame = new Fixture({ kind: "kernel", flags: KvmXenFlag.SHARED_INFO });
    byFrame.host.kernel?.setSharedInfo(0x30 as Gfn);
    byFrame.host.kernel?.setSharedInfo(undefined);
    assert.deepEqual(byFrame.calls, [
      ["attribute", SHARED_INFO, 0x30],
      ["attribute", SHARED_INFO, NOWHERE],
    ]);
    const byAddress = new Fixture({ kind: "kernel", flags: ALL_FLAGS });
    byAddress.host.kernel?.setSharedInfo("page");
    byAddress.host.kernel?.setSharedInfo(undefined);
    assert.deepEqual(byAddress.calls, [
      ["attribute", SHARED_INFO_HVA, 0x7f00_0000_5000],
      ["attribute", SHARED_INFO_HVA, 0],
    ]);
  });
});
