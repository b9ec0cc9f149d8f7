/** Entry point of the device actor's worker thread. */
import { parentPort, workerData } from "node:worker_threads";
import { expose } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { DeviceThread } from "./device-thread.js";
import { ThreadSlot } from "./machine-memory.js";
import type { DeviceApi, DeviceWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";

const init = workerData as DeviceWorkerInit;
const thread = new MachineThread(init, "devices", ThreadSlot.device);
const device = new DeviceThread(thread, init);

const api: DeviceApi = {
  setUp: () => device.setUp(),
  reset: () => device.reset(),
  input: (stream, bytes) => device.input(stream, bytes),
  acknowledge(stream, bytes) {
    device.acknowledge(stream, bytes);
  },
  resume() {
    device.resume();
  },
  pause: () => device.pause(),
  pressPowerButton() {
    device.pressPowerButton();
  },
  drained: () => device.drained(),
  stop() {
    device.stop();
  },
};

if (parentPort !== null) expose(api, nodeEndpoint(parentPort));
await device.run();
parentPort?.close();
