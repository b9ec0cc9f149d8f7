/** A worker as a vCPU: answers Comlink calls while it does not run the guest. */
import type { MessagePort } from "node:worker_threads";
import { expose } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { vcpuId } from "../shared/brand.js";
import { ThreadSlot } from "./machine-memory.js";
import type { VcpuApi, VcpuWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";
import { VcpuThread } from "./vcpu-thread.js";

export function startVcpu(init: VcpuWorkerInit, port: MessagePort): void {
  const { index, parts } = init;
  const thread = new MachineThread(init, `vcpu${index}`, ThreadSlot.vcpu(index, parts.config.disks.length));
  const vcpu = new VcpuThread(thread, vcpuId(index), init);
  const api: VcpuApi = {
    reset(registers) {
      vcpu.reset(registers);
    },
    run: () => vcpu.run(),
    report: () => vcpu.report(),
    registers: () => vcpu.registers(),
    stop() {
      port.close();
    },
  };
  expose(api, nodeEndpoint(port));
}
