/** A worker as a disk's I/O actor: waits in one blocking call and moves data between the image and guest memory. */
import { unreachable } from "../shared/errors.js";
import { BackendOwner } from "../xen/host.js";
import { ActorLoop } from "./actor-loop.js";
import { makePlane } from "./disk-planes.js";
import type { DiskEvent, OwnDiskRequest } from "./disk-protocol.js";
import { IoConversation } from "./io-conversation.js";
import type { IoDuties } from "./io-conversation.js";
import { ThreadSlot } from "./machine-memory.js";
import type { DiskWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";
import { awaitInit } from "./worker-entry.js";

async function liveAsDisk(init: DiskWorkerInit): Promise<void> {
  const { index, control } = init;
  const thread = new MachineThread(init, `disk${index}`, ThreadSlot.disk(index));
  const loop = new ActorLoop(thread, BackendOwner.disk0 + index);
  const conversation = new IoConversation<OwnDiskRequest, DiskEvent>({ thread, control, loop });
  const tell = (event: DiskEvent): void => {
    conversation.tell(event);
  };
  const again = (): void => {
    loop.again();
  };
  const plane = makePlane(thread, init, { tell, again });
  const duties: IoDuties<OwnDiskRequest> = {
    quiesce: (done) => {
      plane.quiesce(done);
    },
    resume: () => {
      plane.resume();
    },
    other: (request) => {
      switch (request.kind) {
        case "connect":
          plane.connections?.connect(request.connection);
          break;
        case "disconnect":
          plane.connections?.disconnect();
          break;
        case "medium":
          tell({ kind: "medium", changed: plane.changeMedium?.(request.disk, request.force) ?? false });
          break;
        default:
          unreachable(request);
      }
    },
  };
  await loop.run({
    rung: () => {
      conversation.poll(duties);
      plane.kick();
    },
    guestKicked: () => {
      plane.kick();
    },
    beforeSleep: () => Infinity,
  });
  thread.leave();
}

awaitInit(liveAsDisk);
