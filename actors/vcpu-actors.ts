/** The vCPUs' threads, and what each guest processor says about itself. */
import { MessageChannel } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { wrap } from "comlink";
import type { Remote } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { BootRegisters } from "../devices/boot/registers.js";
import type { VmmError } from "../shared/errors.js";
import { guestCpuid } from "./cpuid.js";
import { processorBrand } from "./host/processor-brand.js";
import type { CpuidEntry } from "./host/vcpu.js";
import type { HostResources } from "./host-resources.js";
import type { VcpuApi, VcpuOutcome } from "./protocol.js";
import { unlessDead } from "./waiting.js";
import { startWorker } from "./workers.js";
import type { ActorHandle } from "./workers.js";

export interface VcpuHandle extends ActorHandle {
  readonly api: Remote<VcpuApi>;
}

/** How a vCPU is told to run: with the state that it has, or a machine's only one with its power-on state. */
export type VcpuRun = (api: Remote<VcpuApi>) => Promise<VcpuOutcome>;

type Cpuids = readonly (readonly CpuidEntry[])[];

/**
 * What the guest's CPUID answers on each vCPU.
 *
 * @throws VmmError HOST_UNSUPPORTED or CONFIG when the host's CPU cannot be what was asked for; the host has its own back then,
 *   as there are no threads yet
 */
export function vcpuCpuids(resources: HostResources): Cpuids {
  try {
    return cpuids(resources);
  } catch (error) {
    resources.release();
    throw error;
  }
}

function cpuids(resources: HostResources): Cpuids {
  const { parts, vcpuFds, supportedCpuid, supportedHyperv, tscDeadline, tscKhz } = resources;
  const brand = processorBrand();
  return vcpuFds.map((_, vcpu) =>
    guestCpuid({
      config: parts.config,
      supported: supportedCpuid,
      supportedHyperv,
      vcpu,
      brand,
      tscDeadline,
      tscKhz,
    }),
  );
}

/** The threads that run, and why the next one could not be started. */
export interface StartedVcpus {
  readonly handles: readonly VcpuHandle[];
  readonly failure: VmmError | undefined;
}

/** `openEvents` gives a new actor's end of the channel for its events. */
export function startVcpus(
  { parts, vcpuFds, disks }: HostResources,
  cpuids: Cpuids,
  openEvents: () => MessagePort,
): StartedVcpus {
  const handles: VcpuHandle[] = [];
  try {
    for (const [index, vcpuFd] of vcpuFds.entries()) {
      const events = openEvents();
      const { port1, port2: calls } = new MessageChannel();
      const init = { parts, index, events, calls, vcpuFd, disks, cpuid: cpuids[index] ?? [] };
      const handle = startWorker(`vcpu${index}`, { kind: "vcpu", init }, [events, calls]);
      handles.push({ ...handle, api: wrap<VcpuApi>(nodeEndpoint(port1)) });
    }
    return { handles, failure: undefined };
  } catch (error) {
    return { handles, failure: error as VmmError };
  }
}

/** Power-on state of the platform and of all vCPUs; `registers` are the boot processor's. */
export async function resetVcpus(vcpus: readonly VcpuHandle[], registers: BootRegisters | undefined): Promise<void> {
  const [boot, ...others] = vcpus;
  if (boot === undefined) throw new RangeError("The machine has no vCPU");
  await unlessDead(boot, boot.api.reset(registers));
  await Promise.all(others.map((vcpu) => unlessDead(vcpu, vcpu.api.reset(undefined))));
}

/** Runs the guest until all vCPUs are at rest. */
export async function runVcpus(vcpus: readonly VcpuHandle[], run: VcpuRun): Promise<readonly VcpuOutcome[]> {
  return Promise.all(vcpus.map((vcpu) => unlessDead(vcpu, run(vcpu.api))));
}

export const runAsItIs: VcpuRun = (api) => api.run();

/**
 * The first start of a machine with one vCPU, whose reset no other's has to wait for: that thread goes on by itself, rather than
 * tell us and be told, which takes as long as the reset.
 */
export function runFromReset(registers: BootRegisters | undefined): VcpuRun {
  return (api) => api.begin(registers);
}
