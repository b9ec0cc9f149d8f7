/** The last exits of a vCPU, for a crash report: written at every exit, so two stores and nothing more. */
import type { VmExit } from "./host/exit.js";

const DEPTH = 16;
const KINDS = [
  "io",
  "mmio",
  "rdmsr",
  "wrmsr",
  "xen",
  "ioapic-eoi",
  "internal-error",
  "fail-entry",
  "unknown",
  "hlt",
  "interrupt-window",
  "interrupted",
  "woken",
  "shutdown",
  "hyperv",
  "system-event",
] as const satisfies readonly VmExit["kind"][];
const INDEX: Readonly<Record<VmExit["kind"], number>> = Object.fromEntries(
  KINDS.map((kind, index) => [kind, index] as const),
) as Record<(typeof KINDS)[number], number>;

export class ExitHistory {
  readonly #kinds = new Uint8Array(DEPTH);
  readonly #details = new Float64Array(DEPTH);
  #count = 0;

  /** Exits since the last reset. */
  get count(): number {
    return this.#count;
  }

  record(exit: VmExit): void {
    const slot = this.#count % DEPTH;
    this.#kinds[slot] = INDEX[exit.kind];
    this.#details[slot] = detailOf(exit);
    this.#count++;
  }

  reset(): void {
    this.#count = 0;
  }

  /** Oldest first: "io 0x3f8", "mmio 0xfec00000". */
  lines(): readonly string[] {
    const first = Math.max(0, this.#count - DEPTH);
    return Array.from({ length: this.#count - first }, (_, i) => {
      const slot = (first + i) % DEPTH;
      const detail = this.#details[slot] ?? -1;
      const kind = KINDS[this.#kinds[slot] ?? 0] ?? "unknown";
      return detail < 0 ? kind : `${kind} 0x${detail.toString(16)}`;
    });
  }
}

function detailOf(exit: VmExit): number {
  switch (exit.kind) {
    case "io":
      return exit.port;
    case "mmio":
      return exit.address;
    case "rdmsr":
    case "wrmsr":
      return exit.index;
    case "ioapic-eoi":
      return exit.vector;
    case "unknown":
      return exit.reason;
    case "internal-error":
      return exit.suberror;
    default:
      return -1;
  }
}
