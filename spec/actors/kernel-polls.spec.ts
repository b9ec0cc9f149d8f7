import assert from "node:assert/strict";
import { KvmXenFlag } from "../../actors/host/kvm-abi.js";
import { withoutPollers } from "../../actors/kernel-polls.js";
import type { PollingThread } from "../../actors/kernel-polls.js";

/** What happens when `work` is done by a thread of this transport. */
function done(transport: unknown): readonly string[] {
  const calls: string[] = [];
  const kicks = {
    whileHeld: (work: () => unknown) => {
      calls.push("hold");
      const result = work();
      calls.push("let go");
      return result;
    },
  };
  const thread = { kicks, parts: { transport } } as unknown as PollingThread;
  const result = withoutPollers(thread, () => calls.push("work"));
  assert.equal(result, calls.indexOf("work") + 1);
  return calls;
}

describe("withoutPollers()", () => {
  it("holds vCPUs out of a KVM that polls", () => {
    assert.deepEqual(done({ kind: "kernel", flags: KvmXenFlag.EVTCHN_SEND }), ["hold", "work", "let go"]);
  });

  it("costs nothing where polls are ours", () => {
    assert.deepEqual(done({ kind: "kernel", flags: KvmXenFlag.SHARED_INFO }), ["work"]);
    assert.deepEqual(done({ kind: "userspace" }), ["work"]);
  });
});
