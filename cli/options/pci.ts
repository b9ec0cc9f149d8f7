/** What devices on the PCI bus have in common. */
import type { MachineConfig } from "../../index.js";
import type { Device } from "./devices.js";
import type { Settings } from "./settings.js";

/** The device number in `addr=`, which is hexadecimal as in QEMU: `addr=0x3`, `addr=03.0`. */
export function pciSlot(settings: Settings): number | undefined {
  settings.choice("bus", ["pci.0"]);
  const text = settings.text("addr");
  if (text === undefined) return undefined;
  const [, slot, number] = /^(?:0x)?([0-9a-f]{1,2})(?:\.([0-9a-f]))?$/i.exec(text) ?? [];
  if (slot === undefined) throw settings.error("addr", `'${text}' is no place on the bus: write 0x3 or 03.0`);
  if (number !== undefined && number !== "0")
    throw settings.error("addr", `'${text}': a device is function 0 of its own`);
  const parsed = Number.parseInt(slot, 16);
  if (parsed < 3 || parsed > 31) {
    throw settings.error(
      "addr",
      `must be from 0x3 to 0x1f, not ${text}: the chipset and the Xen platform have those below`,
    );
  }
  return parsed;
}

export function bootIndex(settings: Settings): number | undefined {
  // QEMU's word for none.
  return settings.text("bootindex") === "-1" ? undefined : settings.integer("bootindex");
}

/** Refuses what two devices were given and only one can have. */
export function checkUnique(devices: readonly Device[]): void {
  for (const { key, value } of [
    {
      key: "addr",
      value: ({ settings }: Device) => (settings.text("addr") === undefined ? undefined : pciSlot(settings)),
    },
    { key: "bootindex", value: ({ settings }: Device) => bootIndex(settings) },
  ]) {
    const owners = new Map<number, string>();
    for (const device of devices) {
      const own = value(device);
      if (own === undefined) continue;
      const owner = owners.get(own);
      const text = device.settings.text(key) ?? "";
      if (owner !== undefined) throw device.settings.error(key, `${text} is taken by ${owner}`);
      owners.set(own, device.settings.where);
    }
  }
}

/** PCI devices that are neither disks nor network adapters. */
export function pciDevices(devices: readonly Device[]): MachineConfig["devices"] {
  return devices.flatMap(({ driver, settings }) =>
    driver === "edu" ? [{ kind: driver, slot: pciSlot(settings), dmaMask: settings.integer("dma_mask") }] : [],
  );
}
