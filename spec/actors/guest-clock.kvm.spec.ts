/** A guest that says every half second what its clock shows, and sets timers all the time, over pauses. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { machines, smallGuest } from "../support/machines.js";
import { guestImage } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";

/** Far longer than two lines of the guest's are apart on a busy host. */
const PAUSE_MS = 6000;
const SHOWN_AT_MOST_MS = 4000;

describe("the guest's clock", function () {
  this.timeout(60_000);
  const { create } = machines();

  before("needs KVM", function () {
    requireKvm(this);
  });

  it("stands still while the machine is paused, and timers with it", async () => {
    const { machine, text, waitFor } = await create(
      smallGuest("stress.elf", {
        boot: { kernel: guestImage("stress.elf"), cmdline: "only=timer seed=1 round=60000" },
        xenConsole: { kind: "stream" },
      }),
    );
    /** What the guest's clock shows, in ms, each time that it says so. */
    const beats = (): readonly number[] =>
      Array.from(text("xen-console").matchAll(/^beat (\d+)/gm), ([, ms]) => Number(ms));
    const anotherBeat = async (): Promise<void> => {
      const before = beats().length;
      // A guest whose timers come early says so, and ends.
      while (beats().length === before && machine.status() !== "ended") await sleep(10);
    };
    await machine.start();
    await waitFor("xen-console", "beat ");
    await machine.pause();
    const before = beats().at(-1) ?? 0;
    await sleep(PAUSE_MS);
    await machine.resume();
    await anotherBeat();
    await anotherBeat();
    const shown = (beats().at(-1) ?? 0) - before;
    assert.doesNotMatch(text("xen-console"), /^fail/m);
    assert(shown > 0 && shown < SHOWN_AT_MOST_MS, `the guest's clock went on by ${shown} ms`);
  });
});
