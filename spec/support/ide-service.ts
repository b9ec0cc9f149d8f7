/** Machines whose guest (guests/ide-boot/service.h) does to its IDE drives what a byte on COM1 tells it. */
import type { MachineConfig } from "../../shared/config.js";
import { smallGuest } from "./machines.js";
import type { Running } from "./machines.js";

export type IdeOrder = "r" | "w" | "c" | "e" | "i" | "l" | "u";

/** A disk and a CD drive, either may be left out. */
export function ideMachine(
  disk: NonNullable<MachineConfig["disks"]>[number] | undefined,
  cd: NonNullable<MachineConfig["disks"]>[number] | undefined,
): MachineConfig {
  const attach = (channel: 0 | 1) => ({ kind: "ide", channel, unit: 0 }) as const;
  const guest = smallGuest("ide-service.elf");
  return {
    ...guest,
    boot: { ...guest.boot, cmdline: "serial" },
    disks: [
      ...(disk === undefined ? [] : [{ id: "hd", ...disk, attach: attach(0) }]),
      ...(cd === undefined ? [] : [{ id: "cd", ...cd, media: "cdrom" as const, attach: attach(1) }]),
    ],
  };
}

/** Tells the guest what to do; resolves with what it says, without its name in front. */
export async function order({ machine, text }: Running, byte: IdeOrder): Promise<readonly string[]> {
  while (!text("serial0").includes("serves\n")) await breathe();
  const before = text("serial0").length;
  await machine.writeStream("serial0", Buffer.from(byte));
  const answers = (): readonly string[] =>
    [
      ...text("serial0")
        .slice(before)
        .matchAll(/ide-boot: (.*)\n/g),
    ].map(([, line = ""]) => line);
  // Reading and writing are told in two lines.
  const wanted = byte === "r" || byte === "w" ? 2 : 1;
  while (answers().length < wanted) await breathe();
  return answers();
}

async function breathe(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2));
}
