/** What is left on the heap of what was done. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
export const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes that the heap has more of, after garbage has been collected, for each time that `run` ran after a first part. */
export function bytesKept(times: number, run: () => void): number {
  for (let i = 0; i < times / 10; i++) run();
  const before = heapBytes();
  for (let i = 0; i < times; i++) run();
  return (heapBytes() - before) / times;
}

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
