/** A worker as a disk's I/O actor: waits in one blocking call and moves data between the image and guest memory. */
import { receiveMessageOnPort } from "node:worker_threads";
import { unreachable } from "../shared/errors.js";
import { BackendOwner } from "../xen/host.js";
import { ActorLoop } from "./actor-loop.js";
import { makePlane } from "./disk-planes.js";
import type { DiskEvent, DiskRequest } from "./disk-protocol.js";
import { ThreadSlot } from "./machine-memory.js";
import type { DiskWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";
import { awaitInit } from "./worker-entry.js";

function startDisk(init: DiskWorkerInit): void {
  const { index, control } = init;
  const thread = new MachineThread(init, `disk${index}`, ThreadSlot.disk(index));
  const loop = new ActorLoop(thread, BackendOwner.disk0 + index);
  const tell = (event: DiskEvent): void => {
    control.postMessage(event);
    thread.doorbells[BackendOwner.device]?.ring();
  };
  const again = (): void => {
    loop.again();
  };
  const plane = makePlane(thread, init, { tell, again });
  const handle = (request: DiskRequest): void => {
    switch (request.kind) {
      case "connect":
        plane.connections?.connect(request.connection);
        break;
      case "disconnect":
        plane.connections?.disconnect();
        break;
      case "quiesce":
        plane.quiesce(() => {
          tell({ kind: "quiesced" });
        });
        break;
      case "resume":
        plane.resume();
        break;
      case "medium":
        tell({ kind: "medium", changed: plane.changeMedium?.(request.disk, request.force) ?? false });
        break;
      case "stop":
        loop.stop();
        control.close();
        break;
      default:
        unreachable(request);
    }
  };
  // A failure of the loop is an unhandled rejection here: it ends the thread, and the machine hears why.
  void loop.run({
    rung: () => {
      for (let next = receiveMessageOnPort(control); next !== undefined; next = receiveMessageOnPort(control)) {
        handle(next.message as DiskRequest);
      }
      plane.kick();
    },
    guestKicked: () => {
      plane.kick();
    },
    beforeSleep: () => Infinity,
  });
}

awaitInit((init: DiskWorkerInit, port) => {
  startDisk(init);
  // It has no calls to answer: what it is told comes by its own channel.
  port.close();
});
