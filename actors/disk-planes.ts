/** The data plane of a disk, by how it is attached: what a disk actor runs. */
import { unreachable } from "../shared/errors.js";
import { BlkifPlane } from "../devices/xen-disk/blkif-plane.js";
import type { BlockBackend } from "../devices/block-backend.js";
import type { DiskPlane } from "../devices/xen-disk/disk-plane.js";
import { IdeExecutor } from "../devices/ide/ide-executor.js";
import { VirtioBlockPlane } from "../devices/virtio/block-plane.js";
import type { XenDiskEvent } from "./disk-protocol.js";
import type { OpenDisk } from "./host/open-file.js";
import { RawDisk } from "./host/raw-disk.js";
import { hostAddresses } from "./machine-memory.js";
import type { DiskWorkerInit } from "./protocol.js";
import type { MachineThread } from "./thread.js";

/** What an actor does with any of them. */
export interface ServedPlane {
  /** The guest has something for us, or `again` was asked for. */
  kick(): void;
  /** Takes nothing more; `done` is called once nothing is in flight, maybe at once. */
  quiesce(done: () => void): void;
  resume(): void;
  /** The part that a control side in the device actor speaks to. Others' guests speak by registers. */
  readonly connections: DiskPlane | undefined;
  /** Of a CD drive: puts another medium in; false when the guest has locked the tray and `force` is not said. */
  readonly changeMedium: ((disk: OpenDisk, force: boolean) => boolean) | undefined;
}

export interface PlaneEvents {
  tell(event: XenDiskEvent): void;
  /** Work was left so that others get their turn: call `kick` again soon. */
  again(): void;
}

export function makePlane(thread: MachineThread, init: DiskWorkerInit, events: PlaneEvents): ServedPlane {
  const { index } = init;
  const kind = thread.config.disks[index]?.attach.kind;
  switch (kind) {
    case "xen":
      return xenPlane(thread, storageOf(thread, init), events);
    case "ide":
      return idePlane(thread, init);
    case "virtio":
      return virtioPlane(thread, init, events);
    case undefined:
      throw new RangeError(`There is no disk ${index}`);
    default:
      return unreachable(kind);
  }
}

function storageOf(thread: MachineThread, { index, disk }: DiskWorkerInit): RawDisk {
  const config = thread.config.disks[index];
  if (config === undefined) throw new RangeError(`There is no disk ${index}`);
  const addresses = hostAddresses(thread.parts.memory);
  return new RawDisk(
    { libc: thread.libc, scratch: thread.scratch, addressOf: (buffer) => addresses.get(buffer) ?? 0 },
    disk,
    { readOnly: config.readOnly, discards: config.discard === "unmap", unsafe: config.cache === "unsafe" },
  );
}

function xenPlane(thread: MachineThread, storage: BlockBackend, events: PlaneEvents): ServedPlane {
  if (thread.xen === undefined) throw new RangeError("A PV disk without Xen");
  const plane = new BlkifPlane({
    grants: thread.xen.domain.grants,
    memory: thread.memory,
    storage,
    events: {
      stopped: (reason) => {
        events.tell({ kind: "stopped", reason });
      },
      disconnected: () => {
        events.tell({ kind: "disconnected" });
      },
    },
    notify: (port) => {
      thread.notifyGuest(port);
    },
    again: () => {
      events.again();
    },
  });
  return served(plane, { connections: plane });
}

function idePlane(thread: MachineThread, init: DiskWorkerInit): ServedPlane {
  const { ide } = thread.board;
  const place = ide.ofDisk(init.index)?.place;
  if (place === undefined) throw new RangeError(`There is no IDE drive for disk ${init.index}`);
  const jobs = ide.pci.channels[place.channel].jobs[place.unit];
  const storage = storageOf(thread, init);
  return served(new IdeExecutor({ jobs, memory: thread.memory, storage }), {
    // Between two jobs, as everything that an actor is asked.
    changeMedium: (disk, force) =>
      ide.changeMedium(init.index, disk.bytes, {
        force,
        swap: () => {
          storage.replace(disk);
        },
      }),
  });
}

function virtioPlane(thread: MachineThread, init: DiskWorkerInit, events: PlaneEvents): ServedPlane {
  const disk = thread.board.virtioDisks[init.index];
  if (disk === undefined) throw new RangeError(`There is no virtio disk ${init.index}`);
  const { device, pci } = disk;
  const plane = new VirtioBlockPlane({
    device,
    state: pci.state,
    memory: thread.memory,
    storage: storageOf(thread, init),
    serial: thread.config.disks[init.index]?.serial ?? "",
    again: () => {
      events.again();
    },
    broken: (reason) => {
      thread.log.warn("virtio disk stopped", { disk: init.index, reason });
    },
  });
  return served(plane);
}

function served(
  plane: Omit<ServedPlane, "connections" | "changeMedium">,
  { connections, changeMedium }: Partial<Pick<ServedPlane, "connections" | "changeMedium">> = {},
): ServedPlane {
  return {
    connections,
    changeMedium,
    kick: () => {
      plane.kick();
    },
    quiesce: (done) => {
      plane.quiesce(done);
    },
    resume: () => {
      plane.resume();
    },
  };
}
