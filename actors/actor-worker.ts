/**
 * Entry point of every worker thread: loads the code of all actors and waits to be told which one it is. So a thread can be
 * started before the machine that it belongs to is known (workers.ts).
 */
import { parentPort } from "node:worker_threads";
import { unreachable } from "../shared/errors.js";
import { carryErrors } from "./comlink-errors.js";
import { startDevices } from "./device-role.js";
import { startDisk } from "./disk-role.js";
import { preloadFast } from "./host/libc.js";
import type { ActorStart } from "./protocol.js";
import { startVcpu } from "./vcpu-role.js";

const port = parentPort;
if (port === null) throw new Error("This is the entry point of a worker thread");
carryErrors();
preloadFast();
port.once("message", (start: ActorStart) => {
  switch (start.kind) {
    case "vcpu":
      startVcpu(start.init, port);
      break;
    case "device":
      startDevices(start.init, port);
      break;
    case "disk":
      startDisk(start.init);
      // It has no calls to answer: what it is told comes by its own channel.
      port.close();
      break;
    default:
      unreachable(start);
  }
});
