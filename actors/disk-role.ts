/** A worker as a PV disk's I/O actor: waits in one blocking call and moves data between the image and guest memory. */
import { receiveMessageOnPort } from "node:worker_threads";
import { unreachable } from "../shared/errors.js";
import { BlkifPlane } from "../devices/xen-disk/blkif-plane.js";
import { BackendOwner } from "../xen/host.js";
import { ActorLoop } from "./actor-loop.js";
import type { DiskEvent, DiskRequest } from "./disk-protocol.js";
import { RawDisk } from "./host/raw-disk.js";
import { ThreadSlot } from "./machine-memory.js";
import type { DiskWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";

export function startDisk(init: DiskWorkerInit): void {
  const { index, control } = init;
  const thread = new MachineThread(init, `disk${index}`, ThreadSlot.disk(index));
  const loop = new ActorLoop(thread, BackendOwner.disk0 + index);
  const tell = (event: DiskEvent): void => {
    control.postMessage(event);
    thread.doorbells[BackendOwner.device]?.ring();
  };
  const plane = makePlane(thread, init, tell, loop);
  const handle = (request: DiskRequest): void => {
    switch (request.kind) {
      case "connect":
        plane.connect(request.connection);
        break;
      case "disconnect":
        plane.disconnect();
        break;
      case "quiesce":
        plane.quiesce(() => {
          tell({ kind: "quiesced" });
        });
        break;
      case "resume":
        plane.resume();
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

function makePlane(
  thread: MachineThread,
  { index, disk }: DiskWorkerInit,
  tell: (event: DiskEvent) => void,
  loop: ActorLoop,
): BlkifPlane {
  const config = thread.config.disks[index];
  if (config === undefined || thread.xen === undefined) throw new RangeError(`There is no disk ${index}`);
  const { domain } = thread.xen;
  const { control, ram } = thread.parts.memory;
  const addresses = new Map([control, ...ram.map(({ memory }) => memory)].map(({ buffer, hva }) => [buffer, hva]));
  const storage = new RawDisk(
    { libc: thread.libc, scratch: thread.scratch, addressOf: (buffer) => addresses.get(buffer) ?? 0 },
    disk,
    { readOnly: config.readOnly, discards: config.discard === "unmap", unsafe: config.cache === "unsafe" },
  );
  return new BlkifPlane({
    grants: domain.grants,
    memory: thread.memory,
    storage,
    events: {
      stopped: (reason) => {
        tell({ kind: "stopped", reason });
      },
      disconnected: () => {
        tell({ kind: "disconnected" });
      },
    },
    notify: (port) => {
      thread.notifyGuest(port);
    },
    again: () => {
      loop.again();
    },
  });
}
