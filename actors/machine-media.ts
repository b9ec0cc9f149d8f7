/** A machine's CD drives: its files, its device actor, and the disk actors behind that. */
import { closeSync } from "node:fs";
import { VmmError } from "../shared/errors.js";
import type { OpenDisk } from "./host/open-file.js";
import type { HostResources } from "./host-resources.js";
import type { IoActors } from "./io-actors.js";
import { Media } from "./media.js";
import { unlessDead } from "./waiting.js";

export interface MachineMediaParts {
  readonly resources: HostResources;
  readonly devices: () => IoActors["devices"];
  /** The disk actors run. */
  readonly started: () => boolean;
  readonly ended: Promise<unknown>;
}

export function machineMedia({ resources, devices, started, ended }: MachineMediaParts): Media {
  /** The drive's actor lets go of the disc before, or has not started: then it will have this one from its start. */
  const change = async (index: number, disk: OpenDisk, force: boolean): Promise<boolean> => {
    const actor = devices();
    if (!started()) await unlessDead(actor, actor.api.presetMedium(index, disk));
    // It may have been started meanwhile.
    if (started()) {
      const late = ended.then(() => {
        throw new VmmError("STATE", "Cannot change a disc of a machine that has ended");
      });
      const changed = await unlessDead(actor, Promise.race([actor.api.changeMedium(index, disk, force), late]));
      if (!changed) return false;
    }
    resources.replaceMedium(index, disk);
    return true;
  };
  return new Media({
    disks: resources.parts.config.disks,
    open: (disk) => resources.openMedium(disk),
    change,
    refused: ({ fd }) => {
      if (fd >= 0) closeSync(fd);
    },
    status: (index) => unlessDead(devices(), devices().api.tray(index)),
  });
}
