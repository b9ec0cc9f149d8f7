import assert from "node:assert/strict";
import { Arguments } from "../../../cli/options/arguments.js";
import { planLaunch } from "../../../cli/options/plan.js";
import { traceHelp } from "../../../cli/options/traces.js";
import { describeError } from "../../../cli/report.js";
import { resolveConfig } from "../../../shared/config.js";
import { TRACE_NAMES } from "../../../shared/trace.js";

function traces(...argv: readonly string[]): readonly string[] {
  return resolveConfig(planLaunch(new Arguments(["--kernel", "vmlinuz", ...argv])).machine).trace;
}

function refusal(...argv: readonly string[]): string {
  try {
    return traces(...argv).join(" ");
  } catch (error) {
    return describeError(error);
  }
}

describe("--trace", () => {
  it("names trace points as lists, one by one, and as QEMU does", () => {
    assert.deepEqual(traces(), []);
    assert.deepEqual(traces("--trace", "hypercall,xenstore"), ["hypercall", "xenstore"]);
    assert.deepEqual(traces("-trace", "enable=port", "-trace", "enable=m*,disk"), ["port", "m*", "disk"]);
  });

  it("refuses what is not there, with the nearest name", () => {
    assert.deepEqual(
      [
        refusal("--trace", "hypercal"),
        refusal("--trace", "evntchn,port"),
        refusal("--trace", "kvm_run_exit"),
        refusal("--trace", "vnc*"),
        refusal("--trace", "file=/tmp/log"),
        refusal("--trace", "port=on"),
      ],
      [
        "--trace: there is no trace point 'hypercal': did you mean 'hypercall'?",
        "--trace: there is no trace point 'evntchn': did you mean 'evtchn'?",
        `--trace: there is no trace point 'kvm_run_exit': use ${TRACE_NAMES.join(", ")}`,
        `--trace: there is no trace point "vnc*": there are ${TRACE_NAMES.join(", ")}`,
        "--trace file: trace lines go where the log goes: use --log file=PATH",
        "--trace: unknown setting 'port'",
      ],
    );
  });

  it("lists all names in its help", () => {
    assert.deepEqual(
      traceHelp()
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ")[0]),
      TRACE_NAMES,
    );
  });
});
