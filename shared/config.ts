/** A machine's configuration: what a caller writes, and what the machine is built from, with all defaults filled in. */
import * as v from "valibot";
import { MAX_VCPUS, machineConfigSchema } from "./config/schema.js";
import { parseVdev, xvdName } from "./config/vdev.js";
import type { Vdev } from "./config/vdev.js";
import { VmmError } from "./errors.js";

type DeepReadonly<T> = T extends string | number | boolean | null | undefined
  ? T
  : { readonly [K in keyof T]: DeepReadonly<T[K]> };

/** What a caller writes: everything that has a default may be left out. */
export type MachineConfig = DeepReadonly<v.InferInput<typeof machineConfigSchema>>;

type Parsed = DeepReadonly<v.InferOutput<typeof machineConfigSchema>>;
type ParsedDisk = Parsed["disks"][number];

/** Complete and consistent. Plain data: it goes to every thread as it is. */
export type ResolvedConfig = Omit<Parsed, "vcpus" | "disks"> & {
  readonly vcpus: VcpuTopology;
  readonly disks: readonly DiskConfig[];
};

/** `sockets * cores * threads` is `maxCpus`, which is at least `count`. */
export interface VcpuTopology {
  readonly count: number;
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
  readonly maxCpus: number;
}

export type DiskConfig = Omit<ParsedDisk, "id" | "attach"> & { readonly id: string; readonly attach: DiskAttachment };
/** How the guest sees a disk. */
export interface DiskAttachment {
  readonly kind: "xen";
  readonly vdev: Vdev;
}

export type ChardevConfig = Parsed["xenConsole"];
export type AccelConfig = Parsed["accel"];
export type CpuConfig = Parsed["cpu"];
export type BootConfig = Parsed["boot"];
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
  return { ...parsed, vcpus: resolveVcpus(parsed.vcpus), disks: resolveDisks(parsed.disks) };
}

function configError(path: string, reason: string): VmmError {
  return new VmmError("CONFIG", path === "" ? `The configuration ${reason}` : `${path}: ${reason}`, { path, reason });
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

/** Fills the topology as QEMU does for a PC: what is not given becomes 1, except cores, which take up what is left. */
function resolveVcpus(given: Parsed["vcpus"]): VcpuTopology {
  const { sockets, cores, threads } = given;
  const product = (sockets ?? 1) * (cores ?? 1) * (threads ?? 1);
  const maxCpus = given.maxCpus ?? Math.max(given.count ?? product, product);
  const count = given.count ?? maxCpus;
  if (maxCpus > MAX_VCPUS)
    throw configError("vcpus", `the topology has room for ${maxCpus} vCPUs: at most ${MAX_VCPUS} can be`);
  if (maxCpus < count) throw configError("vcpus.maxCpus", `is ${maxCpus}, less than the ${count} vCPUs that start`);
  const filled = fillTopology(given, maxCpus);
  const total = filled.sockets * filled.cores * filled.threads;
  if (total !== maxCpus) {
    const shape = `${filled.sockets} sockets * ${filled.cores} cores * ${filled.threads} threads`;
    throw configError("vcpus", `the topology does not fit: ${shape} is ${total}, not ${maxCpus} vCPUs`);
  }
  return { count, ...filled, maxCpus };
}

function fillTopology(given: Parsed["vcpus"], maxCpus: number): { sockets: number; cores: number; threads: number } {
  const threads = given.threads ?? (given.cores === undefined || given.sockets === undefined ? 1 : undefined);
  if (threads === undefined) {
    const sockets = given.sockets ?? 1;
    const cores = given.cores ?? 1;
    return { sockets, cores, threads: Math.max(1, Math.floor(maxCpus / (sockets * cores))) };
  }
  if (given.cores === undefined) {
    const sockets = given.sockets ?? 1;
    return { sockets, cores: Math.max(1, Math.floor(maxCpus / (sockets * threads))), threads };
  }
  const sockets = given.sockets ?? Math.max(1, Math.floor(maxCpus / (given.cores * threads)));
  return { sockets, cores: given.cores, threads };
}

/** Names every disk and gives each its own virtual device, the lowest free xvd where none was asked for. */
function resolveDisks(disks: readonly ParsedDisk[]): readonly DiskConfig[] {
  const taken = new Map<number, string>();
  const asked = disks.map((disk, index) => askedVdev(disk, index, taken));
  const ids = new Set<string>();
  return disks.map((disk, index) => {
    const id = disk.id ?? `disk${index}`;
    if (ids.has(id))
      throw configError(`disks.${index}.id`, `${JSON.stringify(id)} is the name of another disk already`);
    ids.add(id);
    // A CD is read-only whatever the image is.
    const readOnly = disk.readOnly || disk.media === "cdrom";
    return { ...disk, id, readOnly, attach: { kind: "xen", vdev: asked[index] ?? freeVdev(taken, id) } };
  });
}

function askedVdev(disk: ParsedDisk, index: number, taken: Map<number, string>): Vdev | undefined {
  const text = disk.attach.vdev;
  if (text === undefined) return undefined;
  const path = `disks.${index}.attach.vdev`;
  const vdev = parseVdev(text);
  if (vdev === undefined) {
    throw configError(
      path,
      `${JSON.stringify(text)} is not a Xen block device: xvda, xvdb3, sda to sdp, hda to hdd, d0p1`,
    );
  }
  const other = taken.get(vdev.number);
  if (other !== undefined) throw configError(path, `${text} is taken by the disk ${JSON.stringify(other)}`);
  taken.set(vdev.number, disk.id ?? `disk${index}`);
  return vdev;
}

function freeVdev(taken: Map<number, string>, id: string): Vdev {
  for (let disk = 0; ; disk++) {
    const vdev = parseVdev(xvdName(disk));
    if (vdev === undefined) throw configError("disks", "there are more disks than Xen has names for");
    if (taken.has(vdev.number)) continue;
    taken.set(vdev.number, id);
    return vdev;
  }
}
