/** The monitor's commands. Names, words and answers are those of QEMU's human monitor, as scripts know them. */
import type { Command, MonitorHost } from "./command.js";
import { blockText, networkText, pciText } from "./info.js";
import { CHANGE, EJECT } from "./media.js";
import { registers } from "./registers.js";
import { XEN_EVENTS } from "./xen-events.js";
import { didYouMean } from "../usage.js";

const MIB = 1024 * 1024;

const COMMANDS: readonly Command[] = [
  {
    name: "balloon",
    argument: "target",
    help: "request VM to change its memory allocation (in MB)",
    async run({ machine }, target) {
      if (!/^[0-9]{1,9}$/.test(target)) return "balloon: a whole number of MiB is expected";
      await machine.setMemoryTarget(Number(target) * MIB);
      return "";
    },
  },
  CHANGE,
  {
    name: "cont",
    alias: "c",
    help: "resume emulation",
    async run({ machine }) {
      await machine.resume();
      return "";
    },
  },
  {
    name: "dump-guest-memory",
    argument: "filename",
    help: "dump guest memory into file filename",
    async run({ machine }, filename) {
      if (filename === "") return "dump-guest-memory: string expected";
      if (filename.startsWith("-")) return `dump-guest-memory: unsupported option '${filename}'`;
      await machine.dumpMemory(filename);
      return "";
    },
  },
  EJECT,
  {
    name: "help",
    alias: "?",
    argument: "[cmd]",
    help: "show the help",
    run: (_host, argument) => help(COMMANDS, argument),
  },
  {
    name: "info",
    argument: "[subcommand]",
    help: "show various information about the system state",
    run: info,
  },
  {
    name: "quit",
    alias: "q",
    help: "quit the emulator",
    run(host) {
      host.quit();
      return "";
    },
  },
  {
    name: "stop",
    alias: "s",
    help: "stop emulation",
    async run({ machine }) {
      await machine.pause();
      return "";
    },
  },
  {
    name: "suspend",
    help: "have a Xen guest suspend itself; cont lets it go on (ours)",
    async run({ machine }) {
      await machine.suspend();
      return "";
    },
  },
  {
    name: "system_powerdown",
    help: "send system power down event",
    async run({ machine }) {
      await machine.powerButton();
      return "";
    },
  },
  {
    name: "system_reset",
    help: "reset the system",
    async run({ machine }) {
      await machine.reset();
      return "";
    },
  },
  ...XEN_EVENTS,
];

const INFO: readonly Command[] = [
  {
    name: "block",
    help: "show the disks",
    run: async ({ machine }) => blockText(machine.config.disks, await machine.cdDrives()),
  },
  {
    name: "network",
    help: "show the network adapters",
    run: async ({ machine }) => networkText(machine.config.nets, await machine.networks()),
  },
  { name: "pci", help: "show the PCI bus", run: async ({ machine }) => pciText(await machine.pciFunctions()) },
  { name: "registers", help: "show the cpu registers", run: ({ machine }) => registers(machine) },
  { name: "status", help: "show the current VM status", run: ({ machine }) => `VM status: ${machine.status()}` },
  { name: "version", help: "show the version", run: ({ version }) => version },
];

/** The answer to one line. Never rejects: what went wrong is an answer too. */
export async function execute(host: MonitorHost, line: string): Promise<string> {
  const { word, rest } = firstWord(line);
  if (word === "") return "";
  const command = find(COMMANDS, word);
  if (command === undefined) return `unknown command: '${word}'${didYouMean(word, names(COMMANDS))}`;
  if (command.argument === undefined && rest !== "") return `${command.name}: extraneous arguments: '${rest}'`;
  try {
    return await command.run(host, rest);
  } catch (error) {
    return `Error: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function info(host: MonitorHost, argument: string): Promise<string> {
  if (argument === "") return help(INFO, "", "info ");
  const item = find(INFO, argument);
  if (item === undefined) return `unknown command: 'info ${argument}'${didYouMean(argument, names(INFO))}`;
  return item.run(host, "");
}

function help(commands: readonly Command[], argument: string, prefix = ""): string {
  const chosen = commands.filter(({ name, alias }) => argument === "" || name === argument || alias === argument);
  return chosen.map((command) => helpLine(command, prefix)).join("\n");
}

function helpLine({ name, alias, argument, help }: Command, prefix: string): string {
  const spelling = alias === undefined ? name : `${name}|${alias}`;
  return `${prefix}${spelling}${argument === undefined ? "" : ` ${argument}`} -- ${help}`;
}

function find(commands: readonly Command[], word: string): Command | undefined {
  return commands.find(({ name, alias }) => name === word || alias === word);
}

function names(commands: readonly Command[]): readonly string[] {
  return commands.map(({ name }) => name);
}

function firstWord(line: string): { readonly word: string; readonly rest: string } {
  const trimmed = line.trim();
  const end = trimmed.search(/\s/);
  return end < 0 ? { word: trimmed, rest: "" } : { word: trimmed.slice(0, end), rest: trimmed.slice(end).trim() };
}
