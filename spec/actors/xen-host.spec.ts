/** What Xen asks of one thread, with a thread of which only the needed parts are there. */
import assert from "node:assert/strict";
import { XenHostOfThread } from "../../actors/xen-host.js";
import type { XenThread } from "../../actors/xen-host.js";
import { KvmXenFlag } from "../../actors/host/kvm-abi.js";
import { evtchnPort, vcpuId, vector } from "../../shared/brand.js";
import { logTo } from "../../shared/log.js";
import { VcpuRequest } from "../../xen/host.js";

const ALL_FLAGS = 0x1ff;

class Fixture {
  readonly calls: unknown[][] = [];
  now = 1e9;
  guestClock = 400e6;
  readonly host: XenHostOfThread;

  constructor(transport: { kind: string; flags?: number } = { kind: "userspace" }) {
    const note =
      (name: string, result: unknown = 0) =>
      (...args: unknown[]): unknown => {
        this.calls.push([name, ...args]);
        return result;
      };
    const thread = {
      log: logTo("test", () => undefined),
      parts: { transport, apicIds: [0, 2, 300], kicks: [70, 71] },
      libc: { fast: note("fast") },
      vm: {
        clockNs: () => this.guestClock,
        signalMsi: note("msi"),
        xenSetAttr: note("attribute"),
        xenGetAttr: note("get", 1),
        xenRouteEvtchn: note("route"),
        xenSendEvtchn: note("send"),
      },
      clock: { nowNs: () => this.now },
      kicks: {
        request: note("request"),
        requestAll: note("request all"),
        pollWait: note("poll"),
        wakePoll: note("wake"),
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

  it("arms timers in machine time", () => {
    const fixture = new Fixture();
    fixture.host.armTimer(vcpuId(1), 500e6);
    // 100 ms ahead of the guest's now, which is 1 s of the machine.
    assert.deepEqual(fixture.calls, [["arm", 4, 1.1e9]]);
    fixture.host.armTimer(vcpuId(0), Infinity);
    assert.deepEqual(fixture.calls.at(-1), ["arm", 3, Infinity]);
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
      ["route", { sendPort: 5, type: IPI, flags: 0, port: 5, vcpuOrFd: 2 }],
      ["route", { sendPort: 6, type: INTERDOMAIN, flags: 0, port: 0, vcpuOrFd: 71 }],
      ["route", { sendPort: 5, type: 0, flags: DEASSIGN, port: 0, vcpuOrFd: 0 }],
    ]);
  });

  it("uses only what the host's KVM has", () => {
    const bare = new Fixture({
      kind: "kernel",
      flags: ALL_FLAGS & ~(KvmXenFlag.EVTCHN_SEND | KvmXenFlag.RUNSTATE_UPDATE_FLAG),
    });
    const { kernel } = bare.host;
    assert.deepEqual([kernel?.sendsEvents, kernel?.runsTimers], [false, false]);
    kernel?.route(evtchnPort(5), undefined);
    assert.equal(kernel?.setRunstateUpdateFlag(true), false);
    assert.deepEqual(bare.calls, []);
  });
});
