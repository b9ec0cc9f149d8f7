import assert from "node:assert/strict";
import { endByFailure, judge } from "../../actors/machine-end.js";
import type { MachineEnd } from "../../actors/machine-end.js";
import type { EndReason } from "../../actors/lifecycle.js";
import type { VcpuOutcome } from "../../actors/protocol.js";

const STOPPED: VcpuOutcome = { kind: "stopped" };
const FAULT: VcpuOutcome = { kind: "triple-fault", report: "triple fault" };

function judged(
  reason: EndReason,
  outcomes: readonly VcpuOutcome[] = [STOPPED],
  { noReboot = false, noShutdown = false, resets = true } = {},
): ReturnType<typeof judge> {
  const lifecycle = { reason, detail: 7, vcpu: 1 };
  return judge({ lifecycle, outcomes, config: { noReboot, noShutdown }, resets: () => resets });
}

describe("judge()", () => {
  it("pauses a machine whose vCPUs were asked to rest, and nothing else", () => {
    assert.equal(judged("none"), "pause");
  });

  it("ends at power-off, or keeps the machine when told so", () => {
    assert.deepEqual(judged("poweroff"), { kind: "poweroff" });
    assert.equal(judged("poweroff", [STOPPED], { noShutdown: true }), "pause");
  });

  it("resets what the guest has with Xen for kexec, whatever resets are to do", () => {
    assert.equal(judged("soft-reset", [STOPPED], { noReboot: true }), "soft-reset");
  });

  it("keeps a guest that suspended itself", () => {
    assert.equal(judged("suspend"), "suspend");
  });

  it("resets when the guest wants it, or ends when told so", () => {
    assert.equal(judged("reset"), "reset");
    assert.deepEqual(judged("reset", [STOPPED], { noReboot: true }), { kind: "reset-requested" });
  });

  it("resets when the guest's watchdog runs out, or ends with a report", () => {
    assert.equal(judged("watchdog"), "reset");
    assert.deepEqual(judged("watchdog", [STOPPED], { noReboot: true }), {
      kind: "crash",
      report: "the guest's watchdog ran out",
    });
  });

  it("resets at a triple fault, or ends with its report", () => {
    assert.equal(judged("triple-fault", [STOPPED, FAULT]), "reset");
    assert.deepEqual(judged("triple-fault", [STOPPED, FAULT], { resets: false }), {
      kind: "crash",
      report: "triple fault",
    });
  });

  it("ends with the guest's code, or the guest's own word", () => {
    assert.deepEqual(judged("debug-exit"), { kind: "debug-exit", code: 7 });
    assert.deepEqual(judged("crash"), { kind: "crash", report: "the guest reported a crash of its own (vCPU 1)" });
    assert.equal((judged("failed") as MachineEnd).kind, "failed");
  });

  it("ends with the report of a vCPU that cannot go on, whatever else was wanted", () => {
    assert.deepEqual(judged("reset", [STOPPED, { kind: "crashed", report: "r" }]), { kind: "crash", report: "r" });
  });
});

describe("endByFailure()", () => {
  const error = new Error("Cannot run the guest: KVM_RUN failed with EIO");

  it("is a failure of the host's, unless KVM has given the guest up", () => {
    assert.deepEqual(endByFailure(error, { givenUp: false }), { kind: "failed", error });
    const end = endByFailure(error, { givenUp: true });
    assert.ok(end.kind === "crash");
    assert.match(end.report, /^KVM gave the guest up: .*\n {2}Cannot run the guest: KVM_RUN failed with EIO$/);
  });
});
