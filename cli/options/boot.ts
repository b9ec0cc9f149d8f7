/** How the guest starts: `--kernel` and what goes with it, or firmware, with `--bios` and `--boot`. */
import type { MachineConfig } from "../../index.js";
import type { Arguments } from "./arguments.js";
import { Settings } from "./settings.js";

/** Settings that QEMU has and we do not, with the reason. */
const ABSENT = { splash: "there is no display to show a picture on" } as const;
/** As a `reboot-timeout`: a guest that finds nothing to boot stays there. */
const NEVER = "-1";

export function boot(args: Arguments): MachineConfig["boot"] {
  const settings = bootSettings(args);
  return {
    kernel: args.last("kernel"),
    initrd: args.last("initrd"),
    cmdline: args.last("append"),
    bios: args.last("bios"),
    order: settings.text("order"),
    once: settings.text("once"),
    menu: settings.flag("menu"),
    menuTimeoutMs: settings.integer("splash-time"),
    strict: settings.flag("strict"),
    retryMs: settings.text("reboot-timeout") === NEVER ? undefined : settings.integer("reboot-timeout"),
  };
}

/** Later options add to earlier ones. */
function bootSettings(args: Arguments): Settings {
  const absent = Object.keys(ABSENT) as (keyof typeof ABSENT)[];
  const settings = Settings.merged("--boot", args.all("boot"), {
    implied: "order",
    known: ["order", "once", "menu", "splash-time", "strict", "reboot-timeout", ...absent],
  });
  for (const key of absent) {
    if (settings.text(key) !== undefined) throw settings.error(key, `is not there: ${ABSENT[key]}`);
  }
  return settings;
}
