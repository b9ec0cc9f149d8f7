/** Sends one record more than there is room for, and says how long that took, in milliseconds. */
import { parentPort, workerData } from "node:worker_threads";
import { TraceFlow } from "../../actors/trace-flow.js";

const flow = new TraceFlow(workerData as Int32Array<SharedArrayBuffer>);
const start = performance.now();
flow.send();
parentPort?.postMessage(performance.now() - start);
