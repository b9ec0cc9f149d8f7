/** The PCI functions of the configuration's virtio disks. */
import type { SharedArena } from "../shared/arena.js";
import type { DiskConfig } from "../shared/config.js";
import type { IrqRouter } from "../devices/irq-router.js";
import type { MsiSink } from "../devices/pci/msi-sink.js";
import { VirtioBlock } from "../devices/virtio/virtio-block.js";
import { VirtioPci } from "../devices/virtio/virtio-pci.js";

export interface VirtioDisk {
  readonly device: VirtioBlock;
  readonly pci: VirtioPci;
}

export interface VirtioDiskHost {
  readonly router: Pick<IrqRouter, "intx">;
  readonly messages: MsiSink;
  /** Size of each disk, in 512-byte sectors. */
  readonly diskSectors: readonly number[];
  /** There is work for the actor of disk `index`. */
  kickDisk(index: number): void;
}

const INTA = 1;

/** By index of the disk; undefined for those that are attached otherwise. */
export function virtioDisks(
  arena: SharedArena,
  disks: readonly DiskConfig[],
  host: VirtioDiskHost,
): readonly (VirtioDisk | undefined)[] {
  return disks.map((disk, index) => {
    if (disk.attach.kind !== "virtio") return undefined;
    const { slot } = disk.attach;
    const device = new VirtioBlock(arena, {
      slot,
      sectors: host.diskSectors[index] ?? 0,
      readOnly: disk.readOnly,
      discards: disk.discard === "unmap",
      writeback: disk.cache !== "writethrough" && disk.cache !== "directsync",
      notify: () => {
        host.kickDisk(index);
      },
    });
    const intx = host.router.intx(slot, INTA);
    return { device, pci: new VirtioPci(arena, { device, slot, intx, messages: host.messages }) };
  });
}
