import assert from "node:assert/strict";
import { GuestLink } from "../../stress/guest-link.js";
import { HostActions } from "../../stress/host-actions.js";
import { HOST_ACTIONS } from "../../stress/options.js";
import type { HostActionName } from "../../stress/options.js";
import { FakeMachine } from "./fake-machine.js";

/** More draws than there are lots, so that each action had its turn. */
const DRAWS = 30;
/** Limits from here on are those of waits and of values. */
const LARGE_LIMIT = 30;

/** Acts on a guest that answers everything, or nothing. */
async function act(names: readonly HostActionName[], { answers }: { readonly answers: boolean }) {
  const machine = new FakeMachine();
  const link = new GuestLink(answers ? 60_000 : 20);
  let draws = 0;
  let finish: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    finish = resolve;
  });
  // No waits, and each lot in its turn.
  const random = (limit: number) => {
    if (limit >= LARGE_LIMIT) return 0;
    if (draws === DRAWS) finish();
    return draws++ % limit;
  };
  machine.onInput = (text) => {
    if (answers) link.hear({ kind: "heard", number: Number(text.slice(1)) });
  };
  machine.onTarget = (bytes) => {
    if (answers) link.hear({ kind: "target", kib: bytes / 1024 });
  };
  machine.onReset = () => {
    if (answers) link.hear({ kind: "begin", vcpus: 1, channels: "2-level" });
  };
  await machine.start();
  const actions = new HostActions(names, { machine, link, random });
  const failures: string[] = [];
  await actions.run(over, (name, text) => failures.push(`${name}: ${text}`));
  return { actions, machine, failures };
}

describe("HostActions", () => {
  it("do all that was asked for, and count it", async () => {
    const { actions, failures, machine } = await act(HOST_ACTIONS, { answers: true });
    assert.deepEqual(failures, []);
    assert.deepEqual(
      actions.counts.filter(({ count }) => count === 0),
      [],
    );
    for (const call of ["pause", "resume", "write #1", "pciFunctions", "reset", "setMemoryTarget 2048"])
      assert.ok(machine.calls.includes(call));
  });

  it("number the words from 1 again after a reset", async () => {
    const { machine } = await act(["inject", "reset"], { answers: true });
    const afterReset = machine.calls.slice(machine.calls.lastIndexOf("reset") + 1);
    assert.ok(machine.calls.includes("write #2"));
    assert.ok(afterReset.length === 0 || afterReset[0] === "write #1", afterReset.join());
  });

  it("do nothing when none was asked for", async () => {
    const { machine } = await act([], { answers: true });
    assert.deepEqual(machine.calls, ["start"]);
  });

  it("say that the guest does not hear, and stop", async () => {
    const { failures } = await act(["inject"], { answers: false });
    assert.deepEqual(failures, ["inject: the guest did not hear word 1"]);
  });

  it("say that the guest does not see its target", async () => {
    const { failures } = await act(["xenstore"], { answers: false });
    assert.match(failures.join(), /^xenstore: the guest did not see that memory\/target is \d+$/);
  });

  it("say that the guest does not come back from a reset", async () => {
    const { failures } = await act(["reset"], { answers: false });
    assert.deepEqual(failures, ["reset: the guest did not come back from a reset"]);
  });
});
