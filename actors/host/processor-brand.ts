/** The processor's name, which KVM leaves out of the CPUID that it offers. */
import { closeSync, openSync, readSync } from "node:fs";

/** The first processor's lines: the file goes on for all of them, and takes its time. */
const ENOUGH = 1024;

/** As in CPUID leaves 0x80000002 to 0x80000004; "" when the host does not say. */
export function processorBrand(path = "/proc/cpuinfo"): string {
  const text = Buffer.alloc(ENOUGH);
  let length: number;
  try {
    const fd = openSync(path, "r");
    try {
      length = readSync(fd, text, 0, ENOUGH, 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    return "";
  }
  return /^model name\s*: (.*)$/m.exec(text.toString("latin1", 0, length))?.[1] ?? "";
}
