/** The entrances of the fuzz that want no KVM; those that do are in guest.ts. */
import { blkif } from "./blkif.js";
import { board } from "./board.js";
import { commandLine } from "./command-line.js";
import { pvConsole } from "./console.js";
import type { Entrance } from "./entrance.js";
import { hypercalls } from "./hypercalls.js";
import { ide } from "./ide.js";
import { images } from "./images.js";
import { xenstore } from "./xenstore.js";

export const ENTRANCES: readonly Entrance[] = [
  hypercalls("userspace"),
  hypercalls("kernel"),
  xenstore,
  blkif,
  pvConsole,
  ide,
  board,
  images,
  commandLine,
];
