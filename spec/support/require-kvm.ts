/** For specs that run guests: without KVM they are skipped, and say why; in CI they fail instead. */
import { accessSync, constants, existsSync } from "node:fs";
import type { Context } from "mocha";
import { cannotRun } from "./cannot-run.js";
import { guestImage } from "./project.js";

/** Why guests cannot run here; undefined where they can. */
export function whyNoGuests(...guests: readonly string[]): string | undefined {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return "/dev/kvm cannot be opened for reading and writing";
  }
  const absent = guests.find((name) => !existsSync(guestImage(name)));
  return absent === undefined ? undefined : `the guest ${absent} is not built (node scripts/build-guests.mjs)`;
}

/** To be called in `before`. */
export function requireKvm(context: Context, ...guests: readonly string[]): void {
  const reason = whyNoGuests(...guests);
  if (reason !== undefined) cannotRun(context, reason);
}
