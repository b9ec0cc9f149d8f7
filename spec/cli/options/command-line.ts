/** Command lines as the specs write them, and what becomes of them. */
import { exitCodeOfError } from "../../../cli/exit-codes.js";
import { Arguments } from "../../../cli/options/arguments.js";
import { planLaunch } from "../../../cli/options/plan.js";
import { describeError } from "../../../cli/report.js";
import { resolveConfig } from "../../../shared/config.js";
import type { DiskAttachment, ResolvedConfig } from "../../../shared/config.js";

/** A command line as a person writes it: words between spaces. */
export function words(line: string): readonly string[] {
  return line.split(" ").filter((word) => word !== "");
}

/** Turns Xen on, without which there is no Xen disk. */
export const XEN = "--accel kvm,xen-version=0x4000a";

/** The machine that a command line asks for. */
export function machineOf(line: string): ResolvedConfig {
  return resolveConfig(planLaunch(new Arguments(words(`${XEN} ${line}`))).machine);
}

/** The line that a person sees and the exit code, for a command line that is wrong. */
export function refusal(argv: readonly string[]): readonly [line: string, code: number] {
  try {
    resolveConfig(planLaunch(new Arguments(argv)).machine);
  } catch (error) {
    return [describeError(error), exitCodeOfError(error)];
  }
  return ["accepted", 0];
}

/** Where a disk is: "xvda", "ide1.0" (channel and unit), "slot 3". */
export function placeOf(attach: DiskAttachment | undefined): string {
  switch (attach?.kind) {
    case "xen":
      return attach.vdev.name;
    case "ide":
      return `ide${attach.channel}.${attach.unit}`;
    case "virtio":
      return `slot ${attach.slot}`;
    default:
      return "nowhere";
  }
}
