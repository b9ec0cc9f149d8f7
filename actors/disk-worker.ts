/** Entry point of a PV disk's I/O thread: waits in one blocking call and moves data between the image and guest memory. */
import { receiveMessageOnPort, workerData } from "node:worker_threads";
import { evtchnPort } from "../shared/brand.js";
import { unreachable } from "../shared/errors.js";
import { BlkifBackend } from "../devices/xen-disk/blkif-backend.js";
import type { DiskConnection } from "../devices/xen-disk/disk-plane.js";
import { ActorLoop } from "./actor-loop.js";
import type { DiskEvent, DiskRequest } from "./disk-protocol.js";
import { RawDisk } from "./host/raw-disk.js";
import { ThreadSlot } from "./machine-memory.js";
import type { DiskWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";

const init = workerData as DiskWorkerInit;
const { index, control, disk } = init;
const thread = new MachineThread(init, `disk${index}`, ThreadSlot.disk(index));
const config = thread.config.disks[index];
if (config === undefined || thread.xen === undefined) throw new Error(`There is no disk ${index}`);
const { domain } = thread.xen;
/** The device actor is owner 0, the disks follow. */
const OWNER = index + 1;

const addresses = new Map(
  [thread.parts.memory.control, ...thread.parts.memory.ram.map((block) => block.memory)].map(
    (memory) => [memory.buffer, memory.hva] as const,
  ),
);
const storage = new RawDisk(
  { libc: thread.libc, scratch: thread.scratch, addressOf: (buffer) => addresses.get(buffer) ?? 0 },
  disk,
  { readOnly: config.readOnly, discards: config.discard === "unmap", unsafe: config.cache === "unsafe" },
);
const loop = new ActorLoop(thread, OWNER);
let rings: readonly BlkifBackend[] = [];

function tell(event: DiskEvent): void {
  control.postMessage(event);
  thread.doorbells[0]?.ring();
}

function connect(connection: DiskConnection): void {
  const made = connection.queues.map((queue) => ({ queue, backend: makeRing(queue.port) }));
  rings = made.map(({ backend }) => backend);
  for (const { queue, backend } of made) {
    const reason = backend.connect(queue);
    if (reason === undefined) continue;
    disconnect(() => {
      tell({ kind: "failed", reason });
    });
    return;
  }
  tell({ kind: "connected" });
}

function makeRing(port: number): BlkifBackend {
  const channel = evtchnPort(port);
  return new BlkifBackend({
    grants: domain.grants,
    memory: thread.memory,
    storage,
    notify: () => {
      domain.events.notifyGuest(channel);
    },
    again: () => {
      loop.again();
    },
    stopped: (reason) => {
      tell({ kind: "stopped", reason });
    },
  });
}

/** Calls `done` when every ring has let go. */
function disconnect(done: () => void): void {
  all(
    (ring, finished) => {
      ring.disconnect(finished);
    },
    () => {
      rings = [];
      done();
    },
  );
}

/** Does `work` to each ring and calls `done` when all have finished. */
function all(work: (ring: BlkifBackend, finished: () => void) => void, done: () => void): void {
  let left = rings.length;
  if (left === 0) done();
  for (const ring of rings) {
    work(ring, () => {
      if (--left === 0) done();
    });
  }
}

function kickAll(): void {
  for (const ring of rings) ring.kick();
}

function handle(request: DiskRequest): void {
  switch (request.kind) {
    case "connect":
      connect(request.connection);
      break;
    case "disconnect":
      disconnect(() => {
        tell({ kind: "disconnected" });
      });
      break;
    case "quiesce":
      all(
        (ring, finished) => {
          ring.quiesce(finished);
        },
        () => {
          tell({ kind: "quiesced" });
        },
      );
      break;
    case "resume":
      for (const ring of rings) ring.resume();
      break;
    case "stop":
      loop.stop();
      control.close();
      break;
    default:
      unreachable(request);
  }
}

await loop.run({
  rung: () => {
    for (let message = receiveMessageOnPort(control); message !== undefined; message = receiveMessageOnPort(control)) {
      handle(message.message as DiskRequest);
    }
    kickAll();
  },
  guestKicked: kickAll,
  beforeSleep: () => Infinity,
});
