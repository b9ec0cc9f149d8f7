/** A program that ends with a machine in it: how, and with which guest and disk, its command line says. */
import { setTimeout as after } from "node:timers/promises";
import { Machine } from "../../actors/machine.js";
import { guestImage } from "./project.js";

/** By then the guest spins or sleeps, and the threads of its devices wait; on a slow host some of them still come up. */
const SETTLE_MS = 1000;

const [way = "", guest = "", disk = ""] = process.argv.slice(2);
const machine = await Machine.create({
  memoryBytes: 32 << 20,
  vcpus: { count: 2 },
  accel: { xenVersion: 0x4_000a, transport: "userspace" },
  boot: { kernel: guestImage(guest), cmdline: "" },
  disks: [{ path: disk, attach: { kind: "ide", channel: 0, unit: 0 } }],
  log: { level: "error" },
});
if (way !== "made") await machine.start();
if (way !== "started") await after(SETTLE_MS);
if (way === "paused") await machine.pause();
if (way === "thrown") throw new Error("a mistake of the program's");
process.exit(7);
