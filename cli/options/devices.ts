/** `--device DRIVER,…`: which drivers there are and what settings each takes. */
import { usageError, didYouMean } from "../usage.js";
import { Settings, splitItems } from "./settings.js";

/** The settings of every PCI device; `bus` is there because scripts give it. */
const PCI_SETTINGS = ["id", "addr", "bus"] as const;

const DRIVERS = {
  "xen-disk": ["drive", "vdev", "id"],
  "xen-cdrom": ["drive", "vdev", "id"],
  "ide-hd": ["drive", "bus", "unit", "bootindex", "serial", "id"],
  "ide-cd": ["drive", "bus", "unit", "bootindex", "serial", "id"],
  "virtio-blk-pci": ["drive", "bootindex", "serial", ...PCI_SETTINGS],
  "virtio-net-pci": ["netdev", "mac", "bootindex", ...PCI_SETTINGS],
  edu: ["dma_mask", ...PCI_SETTINGS],
  "xen-console": ["chardev", "id"],
  "isa-serial": ["chardev", "id"],
  "isa-debugcon": ["chardev", "iobase", "id"],
  "isa-debug-exit": ["iobase", "iosize", "id"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** QEMU's short names. */
const ALIASES: Readonly<Record<string, string>> = { "virtio-blk": "virtio-blk-pci", "virtio-net": "virtio-net-pci" };

export type Driver = keyof typeof DRIVERS;

export interface Device {
  readonly driver: Driver;
  readonly settings: Settings;
}

export function parseDevice(text: string): Device {
  const items = splitItems(text, "driver");
  const given = items[0]?.key === "driver" ? (items[0].value ?? "") : "";
  const name = Object.hasOwn(ALIASES, given) ? (ALIASES[given] ?? given) : given;
  if (!isDriver(name)) {
    throw usageError("--device", `there is no device '${given}'${didYouMean(given, Object.keys(DRIVERS))}`);
  }
  return { driver: name, settings: new Settings(`--device ${name}`, items.slice(1), { known: DRIVERS[name] }) };
}

function isDriver(name: string): name is Driver {
  return Object.hasOwn(DRIVERS, name);
}
