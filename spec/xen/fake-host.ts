/** A host for specs: records what is asked of it, and lets time pass by hand. */
import type { EvtchnPort, Gfn, VcpuId, Vector } from "../../shared/brand.js";
import { logTo } from "../../shared/log.js";
import type { LogRecord } from "../../shared/log.js";
import type { EvtchnRoute, ShutdownReason, XenHost, XenKernel } from "../../xen/host.js";

export class FakeHost implements XenHost {
  readonly records: LogRecord[] = [];
  readonly log = logTo("xen", (record) => this.records.push(record));
  kernel: XenKernel | undefined;
  /** What was called, in order, as short texts: "injectVector 0 0xf3". */
  readonly calls: string[] = [];
  nowNs = 1_000_000_000;
  wallNs = 1_700_000_000e9;
  readonly deadlines = new Map<number, number>();
  readonly levels = new Map<number, 0 | 1>();
  readonly overlays = new Map<number, number>();
  /** Frames that cannot be covered. */
  readonly unmappable = new Set<number>();
  /** PIRQs that functions hold in their registers. */
  readonly heldPirqs = new Set<number>();
  /** vCPUs whose local APIC is off. */
  readonly lapicsOff = new Set<number>();
  intxGsi: number | undefined = 11;
  console = "";
  /** Runs while a vCPU sleeps in a poll. */
  duringPoll: () => void = () => undefined;
  /** What a vCPU's thread does when another waits for it to settle. */
  duringSettle: (vcpu: VcpuId) => void = () => undefined;

  systemTimeNs(): number {
    return this.nowNs;
  }
  wallTimeNs(): number {
    return this.wallNs;
  }
  request(vcpu: VcpuId, requests: number): void {
    this.calls.push(`request ${vcpu} ${requests}`);
  }
  vcpuPowerChanged(vcpu: VcpuId): void {
    this.calls.push(`vcpuPowerChanged ${vcpu}`);
  }
  settleVcpu(_caller: VcpuId, vcpu: VcpuId): void {
    this.duringSettle(vcpu);
  }
  injectNmi(vcpu: VcpuId): void {
    this.calls.push(`injectNmi ${vcpu}`);
  }
  injectVector(vcpu: VcpuId, vector: Vector): boolean {
    this.calls.push(`injectVector ${vcpu} 0x${vector.toString(16)}`);
    return !this.lapicsOff.has(vcpu);
  }
  setCallbackGsi(gsi: number, level: 0 | 1): void {
    this.calls.push(`setCallbackGsi ${gsi} ${level}`);
  }
  pciIntxGsi(): number | undefined {
    return this.intxGsi;
  }
  signalBackend(port: EvtchnPort, owner: number): void {
    this.calls.push(`signalBackend ${port} ${owner}`);
  }
  mapOverlay(page: number, frame: Gfn): boolean {
    if (this.unmappable.has(frame)) return false;
    this.overlays.set(page, frame);
    return true;
  }
  unmapOverlay(page: number): void {
    this.overlays.delete(page);
  }
  discardFrames(first: Gfn, count: number): void {
    this.calls.push(`discardFrames 0x${first.toString(16)} ${count}`);
  }
  flushTlbs(): void {
    this.calls.push("flushTlbs");
  }
  armTimer(vcpu: VcpuId, deadlineNs: number): void {
    this.deadlines.set(vcpu, deadlineNs);
  }
  messagePirqChanged(pirq: number, bound: boolean): void {
    this.calls.push(`messagePirqChanged ${pirq} ${bound}`);
  }
  messagePirqHeld(pirq: number): boolean {
    return this.heldPirqs.has(pirq);
  }
  gsiLevel(gsi: number): 0 | 1 {
    return this.levels.get(gsi) ?? 0;
  }
  /** Returns as if a request had come: one wait a poll. */
  pollWait(vcpu: VcpuId, deadlineNs: number): boolean {
    this.calls.push(`pollWait ${vcpu} ${deadlineNs}`);
    this.duringPoll();
    return false;
  }
  wakePoll(vcpu: VcpuId): void {
    this.calls.push(`wakePoll ${vcpu}`);
  }
  yieldThread(): void {
    this.calls.push("yieldThread");
  }
  shutdown(vcpu: VcpuId, reason: ShutdownReason): void {
    this.calls.push(`shutdown ${vcpu} ${reason}`);
  }
  consoleWrite(data: Uint8Array): void {
    this.console += new TextDecoder("latin1").decode(data);
  }
  setVcpuTime(vcpu: VcpuId, at: number | undefined): void {
    this.calls.push(`setVcpuTime ${vcpu} ${at === undefined ? "none" : `0x${at.toString(16)}`}`);
  }

  /** The calls since the last time, without those of `ignored`. */
  taken(ignored = "setVcpuTime"): readonly string[] {
    return this.calls.splice(0).filter((call) => !call.startsWith(ignored));
  }
}

/** KVM as Linux 6.3 has it, or with less, or more, as far as the interface shows it. */
export class FakeKernel implements XenKernel {
  readonly sendsEvents: boolean;
  readonly keepsRunstate: boolean;
  readonly findsSharedInfo: boolean;
  readonly calls: string[] = [];
  readonly routes = new Map<number, EvtchnRoute>();
  sharedInfo: number | "page" | undefined;
  latched = true;
  delivers = true;
  vector = 0;
  marksUpdates = false;
  /** What happens before KVM sets the bits of an event that it was sent. */
  beforeSend: () => void = () => undefined;

  constructor({ sendsEvents = true, keepsRunstate = true, findsSharedInfo = false } = {}) {
    this.sendsEvents = sendsEvents;
    this.keepsRunstate = keepsRunstate;
    this.findsSharedInfo = findsSharedInfo;
  }
  send(port: EvtchnPort, vcpu: VcpuId): void {
    this.calls.push(`send ${port} ${vcpu}`);
    this.beforeSend();
  }
  wakePolls(): void {
    this.calls.push("wakePolls");
  }
  route(port: EvtchnPort, route: EvtchnRoute | undefined): void {
    if (route === undefined) this.routes.delete(port);
    else this.routes.set(port, route);
  }
  setDelivery(enabled: boolean): void {
    this.delivers = enabled;
  }
  setSharedInfo(place: Gfn | "page" | undefined): void {
    this.sharedInfo = place;
  }
  setLongMode(longMode: boolean): void {
    this.latched = longMode;
  }
  setCallbackVector(vector: Vector): void {
    this.vector = vector;
  }
  setRunstateUpdateFlag(enabled: boolean): boolean {
    this.marksUpdates = enabled;
    return true;
  }
}
