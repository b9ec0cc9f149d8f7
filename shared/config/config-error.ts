/** How a configuration is refused. */
import { VmmError } from "../errors.js";

/** One line that starts with the setting's `path`; `reason` goes on from there. */
export function configError(path: string, reason: string): VmmError {
  return new VmmError("CONFIG", path === "" ? `The configuration ${reason}` : `${path}: ${reason}`, { path, reason });
}
