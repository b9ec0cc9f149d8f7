/**
 * What a block front end wrote about its rings, checked. Each key is read once; any of them may be missing or hold anything.
 *
 * [BLKIF] xen.git xen/include/public/io/blkif.h, front end XenBus nodes and multiple hardware queues
 */
import type { EvtchnPort } from "../../shared/brand.js";
import type { FrontendNodes } from "../../xen/xenbus/backend-device.js";
import { parseUnsigned } from "../../xen/xenstore/client.js";
import type { BlkifAbiName } from "./blkif-abi.js";
import type { DiskConnection, RingConnection } from "./disk-plane.js";

/** Largest `ring-page-order` that we offer: 16 pages, 512 slots. */
export const MAX_RING_PAGE_ORDER = 4;

/** EVTCHN_FIFO_NR_CHANNELS: no kind of event channel has higher ports. */
const PORT_LIMIT = 1 << 17;
const MAX_GRANT_REF = 0xffff_ffff;

export interface FrontEndLimits {
  /** What we offered as `multi-queue-max-queues`. */
  readonly maxQueues: number;
  /** Layout where the key `protocol` is missing. */
  readonly nativeAbi: BlkifAbiName;
}

/** The front end's rings, or why they cannot be used. */
export function readFrontEnd(nodes: FrontendNodes, limits: FrontEndLimits): DiskConnection | string {
  const abi = readAbi(nodes, limits.nativeAbi);
  if (abi === undefined) return "its protocol is not known";
  const order = readOrder(nodes);
  if (order === undefined) return "its ring has an impossible number of pages";
  const count = readOptional(nodes, "multi-queue-num-queues", 1);
  if (count === undefined || count < 1 || count > limits.maxQueues) return "it wants an impossible number of queues";
  const persistent = readOptional(nodes, "feature-persistent", 0) === 1;
  const queues: RingConnection[] = [];
  for (let queue = 0; queue < count; queue++) {
    // One queue is described at the top, as by front ends that know of no others.
    const directory = count === 1 ? "" : `queue-${queue}/`;
    const ringRefs = readRingRefs(nodes, directory, order);
    if (ringRefs === undefined) return "a grant reference of its ring is missing or malformed";
    const port = nodes.readNumber(`${directory}event-channel`, PORT_LIMIT - 1);
    if (port === undefined || port === 0) return "its event channel is missing or malformed";
    queues.push({ ringRefs, abi, persistent, port: port as EvtchnPort });
  }
  return { queues };
}

function readAbi(nodes: FrontendNodes, native: BlkifAbiName): BlkifAbiName | undefined {
  const protocol = nodes.read("protocol");
  if (protocol === undefined) return native;
  return protocol === "x86_64-abi" || protocol === "x86_32-abi" ? protocol : undefined;
}

/** `ring-page-order`, or the older `num-ring-pages` ([BLKIF] note 2). */
function readOrder(nodes: FrontendNodes): number | undefined {
  const text = nodes.read("ring-page-order");
  const order = text === undefined ? Math.log2(readOptional(nodes, "num-ring-pages", 1) ?? 0) : parseUnsigned(text);
  return order !== undefined && Number.isInteger(order) && order <= MAX_RING_PAGE_ORDER ? order : undefined;
}

/** [BLKIF] note 6: `ring-ref` for a single page, which some call `ring-ref0`; else `ring-ref0` and on. */
function readRingRefs(nodes: FrontendNodes, directory: string, order: number): number[] | undefined {
  const only = order === 0 ? nodes.readNumber(`${directory}ring-ref`, MAX_GRANT_REF) : undefined;
  if (only !== undefined) return [only];
  const refs: number[] = [];
  for (let page = 0; page < 1 << order; page++) {
    const ref = nodes.readNumber(`${directory}ring-ref${page}`, MAX_GRANT_REF);
    if (ref === undefined) return undefined;
    refs.push(ref);
  }
  return refs;
}

/** `missing` when there is no such key; undefined when it is not a number. */
function readOptional(nodes: FrontendNodes, name: string, missing: number): number | undefined {
  const text = nodes.read(name);
  return text === undefined ? missing : parseUnsigned(text);
}
