/** The PCI functions of the configuration's `devices`. */
import type { SharedArena } from "../shared/arena.js";
import type { DeviceConfig } from "../shared/config.js";
import type { GuestMemory } from "../shared/memory.js";
import { Edu } from "../devices/edu.js";
import type { IrqRouter } from "../devices/irq-router.js";
import type { PciFunction } from "../devices/pci/config-space.js";
import type { MsiSink } from "../devices/pci/msi-sink.js";

export interface ConfiguredDeviceHost {
  readonly memory: GuestMemory;
  readonly messages: MsiSink;
  readonly router: Pick<IrqRouter, "intx">;
}

const INTA = 1;

export function configuredDevice(arena: SharedArena, device: DeviceConfig, host: ConfiguredDeviceHost): PciFunction {
  const { memory, messages, router } = host;
  return new Edu(arena, device, { memory, messages, inta: router.intx(device.slot, INTA) });
}
