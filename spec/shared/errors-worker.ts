/** A worker that fails and sends the error home. */
import { parentPort } from "node:worker_threads";
import { toRecord, VmmError } from "../../shared/errors.js";

function failInWorker(): never {
  throw new VmmError("GUEST_CRASHED", "The guest is gone", { vcpu: 3 }, { cause: new Error("deeper") });
}

try {
  failInWorker();
} catch (error) {
  parentPort?.postMessage(toRecord(error));
}
