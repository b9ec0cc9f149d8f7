/** Entry point of a vCPU's worker thread: answers Comlink calls while it does not run the guest. */
import { parentPort, workerData } from "node:worker_threads";
import { expose } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { vcpuId } from "../shared/brand.js";
import type { VcpuApi, WorkerInit } from "./protocol.js";
import { ThreadSlot } from "./machine-memory.js";
import { MachineThread } from "./thread.js";
import { VcpuThread } from "./vcpu-thread.js";

const init = workerData as WorkerInit;
const { index, parts } = init;
const thread = new MachineThread(init, `vcpu${index}`, ThreadSlot.vcpu(index, parts.config.disks.length));
let vcpu: VcpuThread | undefined;

function running(): VcpuThread {
  if (vcpu === undefined) throw new Error("The vCPU is used before it is set up");
  return vcpu;
}

const api: VcpuApi = {
  setUp(setup) {
    vcpu = new VcpuThread(thread, vcpuId(index), setup);
  },
  reset(registers) {
    running().reset(registers);
  },
  run: () => running().run(),
  report: () => running().report(),
};

if (parentPort !== null) expose(api, nodeEndpoint(parentPort));
