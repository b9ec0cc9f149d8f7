/** Debian 12 on the disk of a PC. */
import { describePcBoot } from "./debian-pc.js";

describePcBoot({ suite: "bookworm", release: "6.1.", smp: 1 });
