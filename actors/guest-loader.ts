/** Puts the guest's kernel into its memory and says what the boot processor starts with. */
import { loadKernel } from "../devices/boot/load.js";
import type { BootRegisters } from "../devices/boot/registers.js";
import { guestMemory } from "./guest-layout.js";
import { HostImages } from "./image-files.js";
import type { MachineParts } from "./protocol.js";

export function loadGuest(parts: MachineParts): BootRegisters {
  const { config, memory, apicIds } = parts;
  const { kernel, initrd, cmdline } = config.boot;
  const serialPorts = config.serials.flatMap((serial, index) => (serial === null ? [] : [index]));
  using files = new HostImages();
  return loadKernel({
    memory: guestMemory(memory, config, undefined),
    ramBytes: config.memoryBytes,
    files,
    kernel,
    initrd,
    cmdline,
    acpi: { apicIds, serialPorts, keyboard: true, mouse: false, vga: false },
    serialPorts,
  }).registers;
}
