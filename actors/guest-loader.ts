/** Puts the guest's kernel into its memory and says what the boot processor starts with, where no firmware does that. */
import { loadKernel } from "../devices/boot/load.js";
import type { BootRegisters } from "../devices/boot/registers.js";
import { PM_BASE } from "../devices/pci/board-setup.js";
import { acpiConfig, serialPorts, smbiosConfig } from "./firmware-config.js";
import { guestMemory } from "./guest-layout.js";
import { HostImages } from "./image-files.js";
import type { MachineParts } from "./protocol.js";

/** Undefined with firmware: the processor starts as it does after power-on, and guest RAM is as it was. */
export function loadGuest(parts: MachineParts): BootRegisters | undefined {
  const { config, memory, apicIds } = parts;
  if (config.boot.kind === "firmware") return undefined;
  const { kernel, initrd, cmdline } = config.boot;
  const acpi = acpiConfig(config);
  using files = new HostImages();
  return loadKernel({
    memory: guestMemory(memory, config, undefined),
    ramBytes: config.memoryBytes,
    files,
    kernel,
    initrd,
    cmdline,
    acpi: acpi === undefined ? undefined : { ...acpi, pmBase: PM_BASE },
    smbios: smbiosConfig(config),
    apicIds,
    serialPorts: serialPorts(config),
  }).registers;
}
