/** What firmware and direct boots tell the guest about the machine, from its configuration. */
import type { ResolvedConfig } from "../shared/config.js";
import { pciWindowStart, splitRam } from "../shared/layout.js";
import type { AcpiConfig } from "../devices/boot/acpi/dsdt.js";
import type { BootCandidate } from "../devices/boot/firmware/boot-order.js";
import type { FirmwareConfig } from "../devices/boot/firmware/files.js";
import type { SmbiosConfig } from "../devices/boot/smbios.js";
import { apicIdOf } from "./cpu-topology.js";
import { handleBytes } from "./guest-layout.js";

/** Which of COM1 (0) to COM4 (3) exist. */
export function serialPorts({ serials }: ResolvedConfig): readonly number[] {
  return serials.flatMap((serial, index) => (serial === null ? [] : [index]));
}

/** All but where the power management block is; undefined for a machine without ACPI. */
export function acpiConfig(config: ResolvedConfig): Omit<AcpiConfig, "pmBase"> | undefined {
  const { acpi, vcpus, memoryBytes } = config;
  if (!acpi) return undefined;
  return {
    apicIds: Array.from({ length: vcpus.count }, (_, index) => apicIdOf(index, vcpus)),
    serialPorts: serialPorts(config),
    keyboard: true,
    mouse: false,
    vga: false,
    pciWindowStart: pciWindowStart(memoryBytes),
  };
}

/** Undefined where a kernel is loaded without firmware. */
export function firmwareConfig(config: ResolvedConfig): FirmwareConfig | undefined {
  const { boot, memoryBytes } = config;
  if (boot.kind !== "firmware") return undefined;
  const { strict, menu, menuTimeoutMs, retryMs } = boot;
  return {
    ramBytes: memoryBytes,
    boot: { candidates: bootCandidates(config), strict, menuTimeoutMs: menu ? menuTimeoutMs : undefined, retryMs },
    serialPorts: serialPorts(config),
    acpi: acpiConfig(config),
    smbios: smbiosConfig(config),
  };
}

export function smbiosConfig({ accel, memoryBytes, uuid, vcpus }: ResolvedConfig): SmbiosConfig {
  const { low, high } = splitRam(memoryBytes);
  return {
    xenVersion: accel.xenVersion,
    uuid: handleBytes(uuid),
    sockets: vcpus.sockets,
    coresPerSocket: vcpus.cores,
    threadsPerCore: vcpus.threads,
    lowRamBytes: low,
    highRamBytes: high,
  };
}

/** Xen disks are none: firmware has no driver for them. */
function bootCandidates({ disks, nets }: ResolvedConfig): readonly BootCandidate[] {
  return [
    ...disks.flatMap(({ attach, bootIndex }): readonly BootCandidate[] => {
      if (attach.kind === "xen") return [];
      if (attach.kind === "virtio") return [{ device: { kind: "virtio-blk", slot: attach.slot }, bootIndex }];
      return [{ device: { kind: "ide", channel: attach.channel, unit: attach.unit }, bootIndex }];
    }),
    ...nets.map(({ model, bootIndex }): BootCandidate => ({ device: { kind: "net", slot: model.slot }, bootIndex })),
  ];
}
