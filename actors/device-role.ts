/** A worker as the device actor. */
import { expose } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { pciInventory } from "../devices/pci/inventory.js";
import { listPorts } from "../xen/port-list.js";
import { DeviceThread } from "./device-thread.js";
import { ThreadSlot } from "./machine-memory.js";
import type { DeviceApi, DeviceWorkerInit } from "./protocol.js";
import { MachineThread } from "./thread.js";
import { awaitInit } from "./worker-entry.js";

async function liveAsDevices(init: DeviceWorkerInit): Promise<void> {
  const { calls } = init;
  const thread = new MachineThread(init, "devices", ThreadSlot.device);
  const device = new DeviceThread(thread, init);
  const api: DeviceApi = {
    setUp: () => device.setUp(),
    connected: () => device.connected(),
    release: (reset) => device.release(reset),
    askShutdown: (request) => device.askShutdown(request),
    setMemoryTarget(kib) {
      device.setMemoryTarget(kib);
    },
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
    sendBreak(stream) {
      device.sendBreak(stream);
    },
    changeMedium: (index, disk, force) => device.changeMedium(index, disk, force),
    presetMedium(index, disk) {
      device.presetMedium(index, disk);
    },
    trayHeard(index) {
      device.trays.heard(index);
    },
    tray: (index) => thread.board.ide.tray(index),
    pciFunctions: () => pciInventory(thread.board.bridge),
    eventPorts() {
      const domain = thread.xen?.domain;
      return domain && listPorts(domain.events, domain.delivery);
    },
    injectEvent: (event) => thread.xen?.domain.events.inject(event),
    links: () => thread.board.nics.map(({ device }) => device.linkUp),
    drained: () => device.drained(),
    stop() {
      device.stop();
    },
  };
  expose(api, nodeEndpoint(calls));
  await device.run();
  calls.close();
  thread.leave();
}

awaitInit(liveAsDevices);
