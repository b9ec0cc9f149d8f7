/** Debian 13 on the disk of a PC. */
import { describePcBoot } from "./debian-pc.js";

describePcBoot({ suite: "trixie", release: "6.12.", smp: 2 });
