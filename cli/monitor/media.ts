/** The monitor's commands for the discs in CD drives. */
import type { Command } from "./command.js";

export const CHANGE: Command = {
  name: "change",
  argument: "[-f] device filename [format [read-only-mode]]",
  help: "put the disc in filename into a CD drive; -f opens a locked tray",
  async run({ machine }, argument) {
    const { force, words } = discArguments(argument);
    const [device, filename, format = "raw", mode = "retain", ...rest] = words;
    if (device === undefined || filename === undefined || rest.length > 0) return usage(CHANGE);
    if (format !== "raw") return `Error: only raw images are read directly, not '${format}'`;
    if (mode !== "retain" && mode !== "read-only") return `Error: a disc is read-only: '${mode}' is not there`;
    await machine.changeMedium(device, filename, { force });
    return "";
  },
};

export const EJECT: Command = {
  name: "eject",
  argument: "[-f] device",
  help: "take the disc out of a CD drive; -f opens a locked tray",
  async run({ machine }, argument) {
    const { force, words } = discArguments(argument);
    const [device, ...rest] = words;
    if (device === undefined || rest.length > 0) return usage(EJECT);
    await machine.changeMedium(device, undefined, { force });
    return "";
  },
};

function discArguments(argument: string): { readonly force: boolean; readonly words: readonly string[] } {
  const words = splitWords(argument);
  return words[0] === "-f" ? { force: true, words: words.slice(1) } : { force: false, words };
}

/** Words between spaces; quotes keep spaces, a backslash the quote after it. */
function splitWords(text: string): readonly string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, plain = ""]) => quoted?.replace(/\\(.)/g, "$1") ?? plain,
  );
}

function usage({ name, argument = "" }: Command): string {
  return `usage: ${name} ${argument}`;
}
