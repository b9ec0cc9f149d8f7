/** The machine's end of a Comlink channel to an actor that blocks: each message is followed by a ring of its doorbell. */
import type { Endpoint } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { MessagePort } from "node:worker_threads";
import type { Doorbell } from "./host/eventfd.js";

export function ringingEndpoint(calls: MessagePort, bell: Doorbell): Endpoint {
  const endpoint = nodeEndpoint(calls);
  return {
    ...endpoint,
    postMessage(message: unknown, transfer?: Parameters<Endpoint["postMessage"]>[1]) {
      endpoint.postMessage(message, transfer);
      bell.ring();
    },
  };
}
