import assert from "node:assert/strict";
import { MessageChannel } from "node:worker_threads";
import type { ActorLoop } from "../../actors/actor-loop.js";
import type { Doorbell } from "../../actors/host/eventfd.js";
import { IoConversation } from "../../actors/io-conversation.js";
import type { IoDuties } from "../../actors/io-conversation.js";
import { IoLink } from "../../actors/io-link.js";
import type { MachineThread } from "../../actors/thread.js";

interface Eject {
  readonly kind: "eject";
}
interface Ejected {
  readonly kind: "ejected";
}

/** Both ends, with an actor that notes what it does and is through with a quiesce when told. */
function converse() {
  const { port1, port2 } = new MessageChannel();
  const seen: string[] = [];
  let quiet: () => void = () => undefined;
  const bell = (name: string): Doorbell => ({ ring: () => seen.push(`${name} rung`) }) as unknown as Doorbell;
  const thread = { doorbells: [bell("device actor")] } as unknown as MachineThread;
  const loop = { stop: () => seen.push("loop stopped") } as unknown as ActorLoop;
  const actor = new IoConversation<Eject, Ejected>({ thread, control: port2, loop });
  const duties: IoDuties<Eject> = {
    quiesce: (done) => {
      seen.push("quiesce");
      quiet = done;
    },
    resume: () => seen.push("resume"),
    other: ({ kind }) => {
      seen.push(kind);
      actor.tell({ kind: "ejected" });
    },
  };
  const link = new IoLink<Eject, Ejected>(port1, bell("actor"));
  return {
    link,
    seen,
    poll: () => {
      actor.poll(duties);
    },
    finish: () => {
      quiet();
    },
    close: () => {
      port1.close();
    },
  };
}

describe("IoConversation", () => {
  it("takes all that was asked, in order, and stops its loop when it is to", () => {
    const { link, seen, poll } = converse();
    link.resume();
    link.tell({ kind: "eject" });
    link.stop();
    poll();
    assert.deepEqual(
      seen.filter((line) => !line.endsWith("rung")),
      ["resume", "eject", "loop stopped"],
    );
  });

  it("answers a quiesce when nothing is under way, and rings for it", async () => {
    const { link, seen, poll, finish, close } = converse();
    let rests = false;
    const quiesced = link.quiesce().then(() => {
      rests = true;
    });
    poll();
    link.poll(() => assert.fail("nothing was told"));
    await Promise.resolve();
    assert(!rests);
    finish();
    assert.deepEqual(seen, ["actor rung", "quiesce", "device actor rung"]);
    link.poll(() => assert.fail("that is no event"));
    await quiesced;
    close();
  });

  it("carries what only this kind of actor is asked and tells", () => {
    const { link, poll, close } = converse();
    const events: string[] = [];
    link.tell({ kind: "eject" });
    poll();
    link.poll(({ kind }) => events.push(kind));
    assert.deepEqual(events, ["ejected"]);
    close();
  });
});
