/** `--device DRIVER,…`: which drivers there are and what settings each takes. */
import { usageError, didYouMean } from "../usage.js";
import { Settings, splitItems } from "./settings.js";

const DRIVERS = {
  "xen-disk": ["drive", "vdev", "id"],
  "xen-cdrom": ["drive", "vdev", "id"],
  "xen-console": ["chardev", "id"],
  "isa-serial": ["chardev", "id"],
  "isa-debugcon": ["chardev", "iobase", "id"],
  "isa-debug-exit": ["iobase", "iosize", "id"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Driver = keyof typeof DRIVERS;

export interface Device {
  readonly driver: Driver;
  readonly settings: Settings;
}

export function parseDevice(text: string): Device {
  const items = splitItems(text, "driver");
  const name = items[0]?.key === "driver" ? (items[0].value ?? "") : "";
  if (!isDriver(name)) {
    throw usageError("--device", `there is no device '${name}'${didYouMean(name, Object.keys(DRIVERS))}`);
  }
  return { driver: name, settings: new Settings(`--device ${name}`, items.slice(1), { known: DRIVERS[name] }) };
}

function isDriver(name: string): name is Driver {
  return Object.hasOwn(DRIVERS, name);
}
