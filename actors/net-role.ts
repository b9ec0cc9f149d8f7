/** A worker as a network card's I/O actor: waits in one blocking call and moves frames between a wire and guest memory. */
import { unreachable } from "../shared/errors.js";
import { LogLimiter } from "../shared/log.js";
import { NetPlane, Wants } from "../devices/virtio/net/net-plane.js";
import { netOwner } from "../xen/host.js";
import { ActorLoop } from "./actor-loop.js";
import { IoConversation } from "./io-conversation.js";
import type { IoDuties } from "./io-conversation.js";
import { hostAddresses, ThreadSlot } from "./machine-memory.js";
import { LinkWants, NetLink } from "./net-link.js";
import type { NetWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";
import { awaitInit } from "./worker-entry.js";

/** A guest, or who is at the other end of the cable, can break things again and again. */
const LINES_LOGGED = 100;
/** Turns of the card before the thread looks at its other duties. */
const ROUNDS = 8;

async function liveAsNet(init: NetWorkerInit): Promise<void> {
  const { index, control, parts } = init;
  const disks = parts.config.disks.length;
  const owner = netOwner(disks, index);
  const thread = new MachineThread(init, `net${index}`, ThreadSlot.net(index, disks));
  const loop = new ActorLoop(thread, owner);
  const { link, plane } = makeCard(thread, init, loop);
  let resting = false;
  const conversation = new IoConversation({ thread, control, loop });
  const duties: IoDuties<never> = {
    quiesce: (done) => {
      resting = true;
      link.rest();
      plane.quiesce();
      done();
    },
    resume: () => {
      resting = false;
    },
    other: unreachable,
  };
  await loop.run({
    rung: () => {
      conversation.poll(duties);
    },
    // Frames are moved before each sleep: to be awake is enough.
    guestKicked: () => undefined,
    beforeSleep: () => {
      if (resting) return Infinity;
      let wants: number = Wants.again;
      for (let round = 0; round < ROUNDS && (wants & Wants.again) !== 0; round++) wants = plane.transfer();
      link.settle();
      link.watch(
        ((wants & Wants.arrival) !== 0 ? LinkWants.arrival : 0) | ((wants & Wants.room) !== 0 ? LinkWants.room : 0),
      );
      if ((wants & Wants.again) !== 0) loop.again();
      return Infinity;
    },
  });
  thread.leave();
}

function makeCard(
  thread: MachineThread,
  { index, net }: NetWorkerInit,
  loop: ActorLoop,
): { readonly link: NetLink; readonly plane: NetPlane } {
  const { board, config, libc, log, memory, parts, scratch } = thread;
  const netConfig = config.nets[index];
  const card = board.nics[index];
  const bell = thread.doorbells[netOwner(config.disks.length, index)];
  if (netConfig === undefined || card === undefined || bell === undefined)
    throw new RangeError(`There is no net ${index}`);
  const fields = { net: netConfig.id };
  const limiter = new LogLimiter(LINES_LOGGED);
  const addresses = hostAddresses(parts.memory);
  const link: NetLink = new NetLink(
    { libc, scratch, poller: loop.poller, placeholder: bell.fd, addressOf: (buffer) => addresses.get(buffer) ?? 0 },
    netConfig,
    net,
    {
      changed: (up, reason) => {
        if (limiter.allow(netConfig.id)) log[up ? "info" : "warn"](up ? "link up" : "link down", { ...fields, reason });
        plane.setLink(up);
      },
    },
  );
  const plane: NetPlane = new NetPlane(card.device, link.wire, {
    memory,
    state: card.pci.state,
    broken: (reason) => {
      if (limiter.allow(netConfig.id)) log.warn("network card stopped", { ...fields, reason });
    },
  });
  plane.setLink(link.up);
  return { link, plane };
}

awaitInit(liveAsNet);
