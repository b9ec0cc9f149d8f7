/** A worker as a vCPU: answers Comlink calls while it does not run the guest. */
import type { MessagePort } from "node:worker_threads";
import { expose } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { vcpuId } from "../shared/brand.js";
import { BackendOwner } from "../xen/host.js";
import { ThreadSlot } from "./machine-memory.js";
import type { VcpuApi, VcpuWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";
import { VcpuThread } from "./vcpu-thread.js";
import { awaitInit } from "./worker-entry.js";

function startVcpu(init: VcpuWorkerInit, port: MessagePort): void {
  const { index, parts } = init;
  const { disks, nets } = parts.config;
  const thread = new MachineThread(init, `vcpu${index}`, ThreadSlot.vcpu(index, disks.length + nets.length));
  const vcpu = new VcpuThread(thread, vcpuId(index), init);
  const api: VcpuApi = {
    reset(registers) {
      vcpu.reset(registers);
    },
    run: () => vcpu.run(),
    begin(registers) {
      vcpu.reset(registers);
      thread.clock.start();
      // The device actor sleeps without a deadline while time stands still.
      thread.doorbells[BackendOwner.device]?.ring();
      return vcpu.run();
    },
    report: () => vcpu.report(),
    registers: () => vcpu.registers(),
    softReset() {
      vcpu.softReset();
    },
    answerHypercall(result) {
      vcpu.answerHypercall(result);
    },
    stop() {
      port.close();
    },
  };
  expose(api, nodeEndpoint(port));
}

awaitInit(startVcpu);
