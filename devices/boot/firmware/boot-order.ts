/**
 * What firmware is to boot from, in the order of boot indices: OpenFirmware paths, as SeaBIOS makes them for what it finds.
 *
 * [BOOTORDER] SeaBIOS, docs/Runtime_config.md: bootorder
 */

/** Something that can be booted from, where the board has it. */
export type BootDevice =
  | { readonly kind: "ide"; readonly channel: number; readonly unit: number }
  | { readonly kind: "virtio-blk"; readonly slot: number }
  | { readonly kind: "net"; readonly slot: number };

export interface BootCandidate {
  readonly device: BootDevice;
  /** The lowest comes first; without one the firmware's own order applies. */
  readonly bootIndex: number | undefined;
}

const PCI_HOST = "/pci@i0cf8";
/** The PIIX3's IDE function, 01.1. */
const IDE = "ide@1,1";
/** Nothing that is not listed is tried. [BOOTORDER] */
const HALT = "HALT";

/** [BOOTORDER] */
export function bootPath(device: BootDevice): string {
  switch (device.kind) {
    case "ide":
      return `${PCI_HOST}/${IDE}/drive@${device.channel}/disk@${device.unit}`;
    case "virtio-blk":
      return `${PCI_HOST}/scsi@${device.slot.toString(16)}/disk@0,0`;
    case "net":
      return `${PCI_HOST}/ethernet@${device.slot.toString(16)}/ethernet-phy@0`;
  }
}

/** The file's text: a path a line, zero-terminated. Empty when nothing is listed. */
export function buildBootOrder(candidates: readonly BootCandidate[], strict: boolean): Uint8Array {
  const ranked = candidates
    .flatMap(({ device, bootIndex }) => (bootIndex === undefined ? [] : [{ path: bootPath(device), bootIndex }]))
    .sort((a, b) => a.bootIndex - b.bootIndex)
    .map(({ path }) => path);
  const lines = strict ? [...ranked, HALT] : ranked;
  if (lines.length === 0) return new Uint8Array(0);
  return Uint8Array.from(`${lines.join("\n")}\0`, (char) => char.charCodeAt(0));
}
