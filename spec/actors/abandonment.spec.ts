import assert from "node:assert/strict";
import { attend, dismiss } from "../../actors/abandonment.js";
import { VcpuRequest } from "../../xen/host.js";

/** A machine's control that keeps what it is asked, in order. */
function machine(name: string, told: string[]): Parameters<typeof attend>[0] {
  const say = (what: string) => (): void => {
    told.push(`${name} ${what}`);
  };
  const kicks = { requestAll: (request: number) => told.push(`${name} kick ${request}`) };
  const doorbells = ["a", "b"].map((bell) => ({ ring: say(`ring ${bell}`) }));
  return { lifecycle: { abandon: say("abandon") }, kicks, doorbells } as unknown as Parameters<typeof attend>[0];
}

describe("machines at the end of the process", () => {
  it("have their threads told, and then woken; one listener does for all that have not been disposed of", () => {
    const before = process.listeners("exit");
    const added = (): readonly NodeJS.ExitListener[] =>
      process.listeners("exit").filter((listener) => !before.includes(listener));
    const told: string[] = [];
    const machines = ["one", "two", "three"].map((name) => machine(name, told));
    for (const each of machines) attend(each);
    const [first, ...others] = machines;
    const listeners = added();
    assert.equal(listeners.length, 1);
    if (first !== undefined) dismiss(first);
    listeners[0]?.(0);
    assert.deepEqual(
      told,
      ["two", "three"].flatMap((name) =>
        ["abandon", `kick ${VcpuRequest.control}`, "ring a", "ring b"].map((what) => `${name} ${what}`),
      ),
    );
    for (const each of others) dismiss(each);
    for (const each of others) dismiss(each);
    assert.equal(added().length, 0);
  });
});
