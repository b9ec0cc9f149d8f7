/**
 * Trace points: what the machine does, as data, for whoever asks for it by name.
 *
 * Who emits looks at `hasSubscribers` first and builds the event only then, so a point that nobody listens to costs one
 * load and one branch. `actors/trace.ts` has the points of a thread; the pure rooms get theirs as an argument.
 */

/** Every point with its event: flat, so that it is a log record's fields as it is. */
export interface TraceEvents {
  /** One access of the guest's to an I/O port; `rep` instructions make many. */
  readonly port: BusAccess & { readonly port: number };
  /** One access to memory-mapped registers, of 1, 2 or 4 bytes. */
  readonly mmio: BusAccess & { readonly address: number };
  /** An MSR access that KVM left to us. `value` is hexadecimal; a refused one gives the guest #GP. */
  readonly msr: {
    readonly vcpu: number;
    readonly write: boolean;
    readonly index: number;
    readonly value: string;
    readonly accepted: boolean;
  };
  readonly hypercall: HypercallEvent;
  /** An event between the guest and a back end of ours; those that KVM carries by itself are not seen. */
  readonly evtchn: {
    readonly port: number;
    readonly to: "guest" | "backend";
    /** The vCPU that is told, or the back end's owner: 0 the device actor, 1 + n disk n. */
    readonly target: number;
  };
  /** A request to xenstore, answered. */
  readonly xenstore: {
    readonly domid: number;
    readonly request: string;
    /** First word of the request, a path in most; control characters escaped. */
    readonly about: string;
    /** "OK" or the error's name. */
    readonly outcome: string;
  };
  /** An interrupt on its way to a vCPU. */
  readonly interrupt: {
    readonly vector: number;
    /** The vCPU; by "msi" the destination field of the message, an APIC id or a set. */
    readonly target: number;
    /** 8259: the pair's INTA cycle; msi: the IOAPIC's messages; lapic: a vCPU's own upcall vector; upcall: the global one. */
    readonly by: "8259" | "msi" | "lapic" | "upcall";
  };
  /** A request of the guest's to a PV disk, carried out; `error` is an errno of the host, or 0. */
  readonly disk: {
    readonly operation: string;
    readonly offset: number;
    readonly length: number;
    readonly error: number;
  };
  /** A command of the guest's to an IDE drive, ended; `error` is the drive's error register, or 0. */
  readonly ide: {
    readonly channel: number;
    readonly unit: number;
    readonly command: string;
    /** First sector of a disk's command; first byte of a packet. */
    readonly sector: number;
    readonly count: number;
    readonly error: number;
  };
}

interface BusAccess {
  readonly write: boolean;
  /** Bytes. */
  readonly size: number;
  readonly value: number;
  /** False where no device is: reads give all ones, writes vanish. */
  readonly claimed: boolean;
}

/** A hypercall, answered; the entries of a multicall come one by one, before it. */
export interface HypercallEvent {
  readonly vcpu: number;
  readonly number: number;
  /** As the headers spell it, with the sub-operation: "sched_op/poll". */
  readonly name: string;
  /** The first three, hexadecimal: no call that we answer takes more. */
  readonly args: string;
  readonly result: number;
}

export type TraceName = keyof TraceEvents;

/** All names, as `--trace` lists them. */
export const TRACE_NAMES = [
  "port",
  "mmio",
  "msr",
  "hypercall",
  "evtchn",
  "xenstore",
  "interrupt",
  "disk",
  "ide",
] as const satisfies readonly TraceName[];

/** Where events of one name go. */
export interface TracePoint<E> {
  readonly hasSubscribers: boolean;
  publish(event: E): void;
}

export type Trace = { readonly [Name in TraceName]: TracePoint<TraceEvents[Name]> };

/** A point to which nobody listens. */
export const UNTRACED: TracePoint<unknown> = { hasSubscribers: false, publish: () => undefined };

/** The names that `pattern` stands for: itself, or all that fit where it has stars. */
export function matchTraceNames(pattern: string): readonly TraceName[] {
  const parts = pattern.split("*").map((part) => part.replace(/[^\w]/g, "\\$&"));
  const expression = new RegExp(`^${parts.join(".*")}$`);
  return TRACE_NAMES.filter((name) => expression.test(name));
}

/** A 64-bit value by halves: a number does not hold a kernel's pointer. */
export function hex64(high: number, low: number): string {
  return high === 0 ? hex(low) : hex(high) + low.toString(16).padStart(8, "0");
}

type Lines = { readonly [Name in TraceName]: (event: TraceEvents[Name]) => string };

const LINES: Lines = {
  port: (event) => `${access(event)} at ${hex(event.port)}${unclaimed(event)}`,
  mmio: (event) => `${access(event)} at ${hex(event.address)}${unclaimed(event)}`,
  msr: ({ write, index, value, accepted }) =>
    `${write ? "write" : "read"} ${hex(index)} value ${value}${accepted ? "" : " refused"}`,
  hypercall: ({ name, args, result }) => `${name} ${args} = ${result}`,
  evtchn: ({ port, to, target }) => `${port} to ${to === "guest" ? "vCPU" : "back end"} ${target}`,
  xenstore: ({ domid, request, about, outcome }) => `domain ${domid} ${request} "${about}" = ${outcome}`,
  interrupt: ({ vector, target, by }) => `vector ${hex(vector)} to ${target} by ${by}`,
  ide: ({ channel, unit, command, sector, count, error }) =>
    `${channel}.${unit} ${command} ${count} at ${hex(sector)} = ${hex(error)}`,
  disk: ({ operation, offset, length, error }) => `${operation} ${length} bytes at ${hex(offset)} = ${error}`,
};

/** An event as one line for a person. */
export function formatTrace<Name extends TraceName>(name: Name, event: TraceEvents[Name]): string {
  return `${name}: ${LINES[name](event)}`;
}

function access({ write, size, value }: BusAccess): string {
  return `${write ? "write" : "read"} ${hex(value)} size ${size}`;
}

function unclaimed({ claimed }: BusAccess): string {
  return claimed ? "" : ", where nothing is";
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
