/** Why a machine comes to its end, and what follows when all its vCPUs are at rest. */
import type { ResolvedConfig } from "../shared/config.js";
import { VmmError } from "../shared/errors.js";
import type { Lifecycle } from "./lifecycle.js";
import type { VcpuOutcome } from "./protocol.js";

export type MachineStatus = "stopped" | "running" | "paused" | "suspended" | "ended";

/** Why a machine came to its end. */
export type MachineEnd =
  | { readonly kind: "poweroff" }
  /** The guest asked for a reset and the machine was told not to do it. */
  | { readonly kind: "reset-requested" }
  /** The guest wrote to the debug exit port; `code` is what QEMU would exit with. */
  | { readonly kind: "debug-exit"; readonly code: number }
  /** `report` is text of several lines for a person. */
  | { readonly kind: "crash"; readonly report: string }
  /** Somebody called `stop()`. */
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly error: Error };

export interface Rest {
  readonly lifecycle: Pick<Lifecycle, "reason" | "detail" | "vcpu">;
  /** Of each vCPU. */
  readonly outcomes: readonly VcpuOutcome[];
  readonly config: Pick<ResolvedConfig, "noReboot" | "noShutdown">;
  /** True when the triple fault of this report is to be answered by a reset. */
  readonly resets: (report: string) => boolean;
}

/** As a triple fault: a guest that hangs has not ended well. */
const WATCHDOG = "the guest's watchdog ran out";

/** KVM does so when a processor cannot save its state as it enters SMM, and when it finds a mistake of its own. */
const GIVEN_UP =
  "KVM gave the guest up: its processor could not enter system management mode, or KVM met a fault of its own, of which the " +
  "host's kernel log has a warning";

/** What follows from `error`, by which the machine cannot go on. */
export function endByFailure(error: Error, vm: { readonly givenUp: boolean }): MachineEnd {
  if (vm.givenUp) return { kind: "crash", report: `${GIVEN_UP}\n  ${error.message}` };
  return { kind: "failed", error };
}

export function judge({
  lifecycle,
  outcomes,
  config,
  resets,
}: Rest): MachineEnd | "pause" | "reset" | "soft-reset" | "suspend" {
  const crashed = outcomes.find((outcome) => outcome.kind === "crashed");
  if (crashed !== undefined) return { kind: "crash", report: crashed.report };
  const report = outcomes.find((outcome) => outcome.kind === "triple-fault")?.report ?? "";
  const { reason } = lifecycle;
  switch (reason) {
    case "none":
      return "pause";
    case "poweroff":
      return config.noShutdown ? "pause" : { kind: "poweroff" };
    case "soft-reset":
      return "soft-reset";
    case "reset":
      return config.noReboot ? { kind: "reset-requested" } : "reset";
    case "watchdog":
      return config.noReboot ? { kind: "crash", report: WATCHDOG } : "reset";
    case "triple-fault":
      return resets(report) ? "reset" : { kind: "crash", report };
    case "debug-exit":
      return { kind: "debug-exit", code: lifecycle.detail };
    case "suspend":
      return "suspend";
    case "crash":
      return { kind: "crash", report: `the guest reported a crash of its own (vCPU ${lifecycle.vcpu})` };
    case "failed":
      return { kind: "failed", error: new VmmError("ACTOR_FAILED", "A thread of the machine failed") };
    default:
      return reason satisfies never;
  }
}
