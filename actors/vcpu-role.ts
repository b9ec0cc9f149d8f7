/** A worker as a vCPU: answers Comlink calls while it does not run the guest. */
import { expose } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { vcpuId } from "../shared/brand.js";
import { BackendOwner } from "../xen/host.js";
import { ThreadSlot } from "./machine-memory.js";
import type { VcpuApi, VcpuWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";
import { VcpuThread } from "./vcpu-thread.js";
import { awaitInit } from "./worker-entry.js";

async function liveAsVcpu(init: VcpuWorkerInit): Promise<void> {
  const { calls, index, parts } = init;
  const { disks, nets } = parts.config;
  const thread = new MachineThread(init, `vcpu${index}`, ThreadSlot.vcpu(index, disks.length + nets.length));
  const vcpu = new VcpuThread(thread, vcpuId(index), init);
  let stop: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
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
    stop,
  };
  expose(api, nodeEndpoint(calls));
  await stopped;
  calls.close();
  thread.leave();
}

awaitInit(liveAsVcpu);
