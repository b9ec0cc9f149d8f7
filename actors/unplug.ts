/**
 * The guest's wish to be rid of emulated devices: they leave the bus, when what they have under way has ended, and come
 * back with the next reset.
 *
 * Which ones go is told by their PCI class, as QEMU's machines do it: a virtio disk is a SCSI controller by class, and goes
 * with the IDE disks; it is nobody's secondary disk.
 *
 * [UNPLUG] xen.git docs/misc/hvm-emulated-unplug.pandoc
 */
import type { Log } from "../shared/log.js";
import type { VirtioPci } from "../devices/virtio/virtio-pci.js";
import { Unplug } from "../devices/xen-platform.js";
import type { Board } from "./board.js";

/** Base class and subclass. */
const PciClass = { scsi: 0x0100, ethernet: 0x0200 } as const;
/** How long a vCPU waits for a device's requests to end. Whatever takes longer finds the device gone. */
const PATIENCE_MS = 5000;
/** How often it looks whether it still has to wait. */
const LOOK_MS = 20;

export interface UnplugHost {
  readonly board: Pick<Board, "bridge" | "ide" | "virtio">;
  readonly log: Log;
  /** Milliseconds that pass also while the machine's clock stands. */
  nowMs(): number;
  /** The machine is to stop: nobody waits any longer. */
  stopping(): boolean;
}

export function unplug(host: UnplugHost, mask: number): void {
  const { board, log } = host;
  const deadline = host.nowMs() + PATIENCE_MS;
  const late = (): boolean => host.stopping() || host.nowMs() > deadline;
  const drives = board.ide.unplug(mask, late);
  const gone = board.virtio.filter((pci) => isMeant(pci, mask) && board.bridge.remove(pci));
  for (const pci of gone) {
    pci.shutDown();
    while (!pci.state.awaitRest(LOOK_MS)) {
      if (!late()) continue;
      log.warn("unplugged device is still busy", { device: pci.name });
      break;
    }
  }
  log.info("guest unplugs emulated devices", { mask, gone: [...drives, ...gone.map(({ name }) => name)].join(" ") });
}

function isMeant({ device }: VirtioPci, mask: number): boolean {
  switch (device.classCode >> 8) {
    case PciClass.scsi:
      return (mask & Unplug.disks) !== 0;
    case PciClass.ethernet:
      return (mask & Unplug.nics) !== 0;
    default:
      return false;
  }
}
