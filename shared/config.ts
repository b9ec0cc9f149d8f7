/** A machine's configuration: what a caller writes, and what the machine is built from, with all defaults filled in. */
import * as v from "valibot";
import { resolveBoot } from "./config/boot.js";
import type { BootConfig } from "./config/boot.js";
import { configError } from "./config/config-error.js";
import { resolveDevices } from "./config/devices.js";
import type { DeviceConfig } from "./config/devices.js";
import { resolveDisks } from "./config/disks.js";
import type { DiskConfig } from "./config/disks.js";
import type { DeepReadonly } from "./config/fields.js";
import { checkEnlightenments } from "./config/hyperv.js";
import { resolveNets } from "./config/nets.js";
import type { NetConfig } from "./config/nets.js";
import { PciSlots } from "./config/pci-slots.js";
import { machineConfigSchema } from "./config/schema.js";
import { resolveVcpus } from "./config/vcpus.js";
import type { VcpuTopology } from "./config/vcpus.js";

export type { BootConfig, DirectBoot, FirmwareBoot } from "./config/boot.js";
export type { DeviceConfig } from "./config/devices.js";
export type { DiskAttachment, DiskConfig, IdeAttachment, VirtioAttachment, XenAttachment } from "./config/disks.js";
export type { NetBackend, NetConfig } from "./config/nets.js";
export type { VcpuTopology } from "./config/vcpus.js";

/** What a caller writes: everything that has a default may be left out. */
export type MachineConfig = DeepReadonly<v.InferInput<typeof machineConfigSchema>>;

type Parsed = DeepReadonly<v.InferOutput<typeof machineConfigSchema>>;

/** Complete and consistent. Plain data: it goes to every thread as it is. */
export type ResolvedConfig = Omit<Parsed, "vcpus" | "boot" | "disks" | "nets" | "devices"> & {
  readonly vcpus: VcpuTopology;
  readonly boot: BootConfig;
  /** The index here is that of a disk's actor, open file and doorbell. */
  readonly disks: readonly DiskConfig[];
  readonly nets: readonly NetConfig[];
  readonly devices: readonly DeviceConfig[];
};

export type ChardevConfig = Parsed["xenConsole"];
export type AccelConfig = Parsed["accel"];
export type CpuConfig = Parsed["cpu"];
export type LogConfig = Parsed["log"];

/**
 * Fills in the defaults and checks everything that can be checked without looking at the host.
 *
 * @throws VmmError with code CONFIG and one line of text; its details hold the field's `path` and the `reason`
 */
export function resolveConfig(input: unknown): ResolvedConfig {
  const result = v.safeParse(machineConfigSchema, input, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw configError(v.getDotPath(issue) ?? "", reasonOf(issue));
  }
  const parsed: Parsed = result.output;
  checkAccel(parsed.accel);
  checkXen(parsed);
  checkEnlightenments(parsed.cpu.hyperv);
  checkBootIndexes(parsed);
  const slots = pciSlots(parsed);
  return {
    ...parsed,
    vcpus: resolveVcpus(parsed.vcpus),
    boot: resolveBoot(parsed.boot),
    disks: resolveDisks(parsed.disks, slots),
    nets: resolveNets(parsed.nets, slots),
    devices: resolveDevices(parsed.devices, slots),
  };
}

/** Network adapters, disks, other devices: the order in which a PC of QEMU's puts what it makes by itself. */
function pciSlots({ nets, disks, devices }: Parsed): PciSlots {
  return new PciSlots([
    ...nets.map(({ model }, index) => ({ path: `nets.${index}.model.slot`, slot: model.slot })),
    ...disks.flatMap(({ attach }, index) =>
      attach.kind === "virtio" ? [{ path: `disks.${index}.attach.slot`, slot: attach.slot }] : [],
    ),
    ...devices.map(({ slot }, index) => ({ path: `devices.${index}.slot`, slot })),
  ]);
}

/** Every character device that the configuration has. */
export function chardevsOf({ serials, xenConsole, debugcon }: ResolvedConfig): readonly ChardevConfig[] {
  return [...serials, xenConsole, debugcon?.chardev].filter((chardev) => chardev !== undefined && chardev !== null);
}

/** Only a guest of Xen can find PV devices. */
function checkXen({ accel, disks, xenConsole }: Parsed): void {
  if (accel.xenVersion !== 0) return;
  const index = disks.findIndex(({ attach }) => attach.kind === "xen");
  if (index >= 0) throw configError(`disks.${index}.attach`, "a Xen disk needs Xen: no Xen version is given");
  if (xenConsole.kind !== "null") throw configError("xenConsole", "needs Xen: no Xen version is given");
}

function checkBootIndexes({ disks, nets }: Parsed): void {
  const taken = new Map<number, string>();
  for (const [list, members] of Object.entries({ disks, nets })) {
    for (const [index, { bootIndex }] of members.entries()) {
      if (bootIndex === undefined) continue;
      const path = `${list}.${index}`;
      const other = taken.get(bootIndex);
      if (other !== undefined) throw configError(`${path}.bootIndex`, `${bootIndex} is that of ${other} already`);
      taken.set(bootIndex, path);
    }
  }
}

/** Unknown and absent fields get words of their own; all others have theirs in the schema. */
function reasonOf(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "strict_object" && issue.expected === "never") return "there is no such setting";
  if (issue.type === "strict_object" && issue.received === "undefined") return "must be given";
  return issue.message;
}

function checkAccel(accel: AccelConfig): void {
  if (accel.irqchip === "split") return;
  throw configError(
    "accel.irqchip",
    accel.xenVersion === 0
      ? "must be split: the 8259, the IOAPIC and the 8254 are always emulated here, the local APICs in the kernel"
      : "must be split with Xen: a guest takes interrupts as event channels, which an IOAPIC in the kernel cannot give it",
  );
}
