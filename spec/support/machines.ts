/** Machines of the KVM specs: small guests, their output as text, and nothing left behind whatever happens. */
import { afterEach } from "mocha";
import { Machine } from "../../actors/machine.js";
import type { MachineConfig } from "../../shared/config.js";
import type { LogRecord } from "../../shared/log.js";
import type { StreamName } from "../../actors/streams.js";
import { guestImage } from "./project.js";

const MIB = 1024 * 1024;

export interface Running {
  readonly machine: Machine;
  readonly log: readonly LogRecord[];
  /** What the guest has written so far. */
  readonly text: (stream: StreamName) => string;
  /** Resolves when `stream` has `wanted` in it. */
  readonly waitFor: (stream: StreamName, wanted: string) => Promise<void>;
}

/** A small Xen guest of ours by name, or another configuration's parts over it. */
export function smallGuest(name: string, changes: Partial<MachineConfig> = {}): MachineConfig {
  return {
    memoryBytes: 32 * MIB,
    accel: { xenVersion: 0x4_000a, transport: "userspace" },
    boot: { kernel: guestImage(name), cmdline: "" },
    serials: [{ kind: "stream" }],
    ...changes,
  };
}

/** Machines for the specs of one `describe`, disposed of after each. */
export function machines(): { readonly create: (config: MachineConfig) => Promise<Running> } {
  const made: Machine[] = [];
  afterEach(async () => {
    for (const machine of made.splice(0)) await machine[Symbol.asyncDispose]();
  });
  return {
    async create(config) {
      const log: LogRecord[] = [];
      const machine = await Machine.create(config, { log: (record) => log.push(record) });
      made.push(machine);
      return follow(machine, log);
    },
  };
}

const STREAMS: readonly StreamName[] = ["serial0", "xen-log", "xen-console", "debugcon"];

function follow(machine: Machine, log: readonly LogRecord[]): Running {
  const texts = new Map<StreamName, string>();
  let wake: () => void = () => undefined;
  for (const stream of STREAMS) {
    machine.onStream(stream, (bytes) => {
      texts.set(stream, (texts.get(stream) ?? "") + Buffer.from(bytes).toString("latin1"));
      wake();
      return undefined;
    });
  }
  const text = (stream: StreamName): string => texts.get(stream) ?? "";
  return {
    machine,
    log,
    text,
    async waitFor(stream, wanted) {
      while (!text(stream).includes(wanted)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
