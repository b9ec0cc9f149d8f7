/** PCI devices that are neither disks nor network adapters. */
import * as v from "valibot";
import { integer } from "./fields.js";
import type { DeepReadonly } from "./fields.js";
import { slotSchema } from "./pci-slots.js";
import type { PciSlots } from "./pci-slots.js";

export const deviceSchema = v.variant(
  "kind",
  [
    /** QEMU's educational device: registers, an interrupt by line or MSI, a DMA engine. */
    v.strictObject({
      kind: v.literal("edu"),
      slot: v.optional(slotSchema),
      /** Address bits that its DMA engine has: drivers must keep their buffers below. */
      dmaMask: v.optional(integer(0, Number.MAX_SAFE_INTEGER), 0x0fff_ffff),
    }),
  ],
  'must be { kind: "edu", slot, dmaMask }',
);

type Given = DeepReadonly<v.InferOutput<typeof deviceSchema>>;

export type DeviceConfig = Omit<Given, "slot"> & { readonly slot: number };

export function resolveDevices(devices: readonly Given[], slots: PciSlots): readonly DeviceConfig[] {
  return devices.map((device, index) => ({ ...device, slot: slots.of(`devices.${index}.slot`) }));
}
