/** Whether this host's KVM is there and ours to open. For scripts that run before anything is built. */
import { accessSync, constants } from "node:fs";

export function canOpenKvm() {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
