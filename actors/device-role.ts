/** A worker as the device actor. */
import type { MessagePort } from "node:worker_threads";
import { expose } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { DeviceThread } from "./device-thread.js";
import { ThreadSlot } from "./machine-memory.js";
import type { DeviceApi, DeviceWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";

export function startDevices(init: DeviceWorkerInit, port: MessagePort): void {
  const thread = new MachineThread(init, "devices", ThreadSlot.device);
  const device = new DeviceThread(thread, init);
  const api: DeviceApi = {
    setUp: () => device.setUp(),
    connected: () => device.connected(),
    release: () => device.release(),
    powerOn() {
      device.powerOn();
    },
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
  expose(api, nodeEndpoint(port));
  // A failure of the loop is an unhandled rejection here: it ends the thread, and the machine hears why.
  void device.run().then(() => {
    port.close();
  });
}
