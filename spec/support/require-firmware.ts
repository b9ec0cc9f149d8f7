/** For specs that start SeaBIOS: without it on this host they are skipped, and say so; in CI they fail instead. */
import { existsSync } from "node:fs";
import type { Context } from "mocha";
import { FIRMWARE_FOLDERS } from "../../actors/firmware-image.js";
import { cannotRun } from "./cannot-run.js";
import { requireKvm } from "./require-kvm.js";

/** To be called in `before`. */
export function requireFirmware(context: Context): void {
  requireKvm(context);
  if (FIRMWARE_FOLDERS.some((folder) => existsSync(`${folder}/bios-256k.bin`))) return;
  cannotRun(context, "SeaBIOS is not installed (package seabios)");
}
