/**
 * The trace points of this thread, as channels of node:diagnostics_channel ("xenolith.port"), and the way of their events
 * to the log. Each thread has channels of its own, so each subscribes for itself, to what the configuration names.
 */
import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import type { LogRecord } from "../shared/log.js";
import { formatTrace, matchTraceNames } from "../shared/trace.js";
import type { Trace, TraceEvents, TraceName } from "../shared/trace.js";
import type { StoreTrace } from "../xen/xenstore/store.js";

function channelName(name: TraceName): string {
  return `xenolith.${name}`;
}

/** Kept here for good: the channels are found again by name only while somebody holds them. */
export const trace: Trace = {
  port: channel(channelName("port")),
  mmio: channel(channelName("mmio")),
  msr: channel(channelName("msr")),
  hypercall: channel(channelName("hypercall")),
  evtchn: channel(channelName("evtchn")),
  xenstore: channel(channelName("xenstore")),
  interrupt: channel(channelName("interrupt")),
  disk: channel(channelName("disk")),
  ide: channel(channelName("ide")),
};

/** How xenstore tells of its requests; not at all when nobody listens by the time it is made. */
export function storeTrace(): StoreTrace | undefined {
  if (!trace.xenstore.hasSubscribers) return undefined;
  return (domid, request, about, outcome) => {
    trace.xenstore.publish({ domid, request, about, outcome });
  };
}

export interface TraceOutput {
  /** Which thread speaks: "vcpu0". */
  readonly component: string;
  /** Time of the machine. */
  nowNs(): number;
  write(record: LogRecord): void;
}

/** Sends the events that `patterns` name to `output`, until the function that it returns is called. */
export function traceTo(patterns: readonly string[], output: TraceOutput): () => void {
  const names = new Set(patterns.flatMap(matchTraceNames));
  const listeners = [...names].map((name) => {
    const listener = (event: unknown): void => {
      output.write(traceRecord(name, event as TraceEvents[TraceName], output));
    };
    subscribe(channelName(name), listener);
    return { name, listener };
  });
  return () => {
    for (const { name, listener } of listeners) unsubscribe(channelName(name), listener);
  };
}

function traceRecord(name: TraceName, event: TraceEvents[TraceName], output: TraceOutput): LogRecord {
  const seconds = output.nowNs() / 1e9;
  return {
    level: "trace",
    component: output.component,
    // The event belongs to the name: both came by one channel.
    message: `${seconds.toFixed(6)} ${formatTrace(name, event as never)}`,
    fields: { event: name, at: seconds, ...event },
  };
}
