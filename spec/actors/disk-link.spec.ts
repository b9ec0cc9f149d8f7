import assert from "node:assert/strict";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { DiskLink } from "../../actors/disk-link.js";
import type { OpenDisk } from "../../actors/host/open-file.js";

/** A link to an actor that is called (`onDemand`) or runs by itself, and what that is told, by its end of the channel. */
function linkTo({ onDemand }: { readonly onDemand: boolean }) {
  const { port1, port2 } = new MessageChannel();
  let calls = 0;
  const call = (): void => {
    calls++;
  };
  return {
    link: new DiskLink(0, { control: port1, bell: undefined, call: onDemand ? call : undefined }),
    calls: () => calls,
    told: (): readonly string[] => {
      const kinds: string[] = [];
      for (let next = receiveMessageOnPort(port2); next !== undefined; next = receiveMessageOnPort(port2)) {
        kinds.push((next.message as { readonly kind: string }).kind);
      }
      return kinds;
    },
    answer: (kind: string, fields: object = {}) => {
      port2.postMessage({ kind, ...fields });
    },
    close: () => {
      port1.close();
    },
  };
}

describe("DiskLink", () => {
  it("calls an actor on demand once, with its first work", () => {
    const { link, calls, told, close } = linkTo({ onDemand: true });
    assert.equal(calls(), 0);
    link.tell({ kind: "disconnect" });
    link.tell({ kind: "disconnect" });
    assert.equal(calls(), 1);
    assert.deepEqual(told(), ["disconnect", "disconnect"]);
    close();
  });

  it("has nothing to quiesce or resume before that", async () => {
    const { link, calls, told, close } = linkTo({ onDemand: true });
    await link.quiesce();
    link.resume();
    assert.deepEqual([calls(), told()], [0, []]);
    close();
  });

  for (const onDemand of [false, true]) {
    it(`waits until an actor is quiet, ${onDemand ? "once it is called" : "when it runs by itself"}`, async () => {
      const { link, told, answer, close } = linkTo({ onDemand });
      if (onDemand) link.tell({ kind: "disconnect" });
      let quiet = false;
      const done = link.quiesce().then(() => (quiet = true));
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(quiet, false);
      answer("quiesced");
      link.poll(() => undefined);
      await done;
      link.resume();
      assert.deepEqual(told().slice(onDemand ? 1 : 0), ["quiesce", "resume"]);
      close();
    });
  }

  it("answers changes of the medium in the order of asking, and passes on what a PV disk tells", async () => {
    const { link, answer, close } = linkTo({ onDemand: false });
    const disk = {} as OpenDisk;
    const answers = Promise.all([link.changeMedium(disk, false), link.changeMedium(disk, true)]);
    answer("medium", { changed: false });
    answer("stopped", { reason: "req_prod" });
    answer("medium", { changed: true });
    const seen: unknown[] = [];
    link.poll((event) => seen.push(event));
    assert.deepEqual(await answers, [false, true]);
    assert.deepEqual(seen, [{ kind: "stopped", reason: "req_prod" }]);
    close();
  });
});
