/** The vCPUs' threads, and what each guest processor says about itself. */
import type { MessagePort } from "node:worker_threads";
import { wrap } from "comlink";
import type { Remote } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { VmmError } from "../shared/errors.js";
import { guestCpuid } from "./cpuid.js";
import { processorBrand } from "./host/processor-brand.js";
import type { CpuidEntry } from "./host/vcpu.js";
import type { HostResources } from "./host-resources.js";
import type { VcpuApi } from "./protocol.js";
import { startWorker } from "./workers.js";
import type { ActorHandle } from "./workers.js";

export interface VcpuHandle extends ActorHandle {
  readonly api: Remote<VcpuApi>;
}

type Cpuids = readonly (readonly CpuidEntry[])[];

/** @throws VmmError HOST_UNSUPPORTED or CONFIG when the host's CPU cannot be what was asked for */
export function vcpuCpuids(resources: HostResources): Cpuids {
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
      const init = { parts, index, events, vcpuFd, disks, cpuid: cpuids[index] ?? [] };
      const handle = startWorker(`vcpu${index}`, { kind: "vcpu", init }, [events]);
      handles.push({ ...handle, api: wrap<VcpuApi>(nodeEndpoint(handle.worker)) });
    }
    return { handles, failure: undefined };
  } catch (error) {
    return { handles, failure: error as VmmError };
  }
}
