/** The PCI functions of the configuration's network cards. */
import type { SharedArena } from "../shared/arena.js";
import type { NetConfig } from "../shared/config.js";
import type { IrqRouter } from "../devices/irq-router.js";
import type { MsiSink } from "../devices/pci/msi-sink.js";
import { VirtioNet } from "../devices/virtio/net/virtio-net.js";
import { VirtioPci } from "../devices/virtio/virtio-pci.js";

export interface VirtioNic {
  readonly device: VirtioNet;
  readonly pci: VirtioPci;
}

export interface VirtioNicHost {
  readonly router: Pick<IrqRouter, "intx">;
  readonly messages: MsiSink;
  /** There is work for the actor of network card `index`. */
  kickNet(index: number): void;
}

const INTA = 1;

export function virtioNics(arena: SharedArena, nets: readonly NetConfig[], host: VirtioNicHost): readonly VirtioNic[] {
  return nets.map(({ mac, model: { slot }, backend }, index) => {
    const device = new VirtioNet(
      arena,
      { name: `virtio-net-${slot}`, mac, offloads: backend.kind === "tap" },
      {
        kick: () => {
          host.kickNet(index);
        },
      },
    );
    const intx = host.router.intx(slot, INTA);
    return { device, pci: new VirtioPci(arena, { device, slot, intx, messages: host.messages }) };
  });
}
