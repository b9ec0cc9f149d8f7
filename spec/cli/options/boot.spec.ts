import assert from "node:assert/strict";
import { XEN, machineOf, refusal, words } from "./command-line.js";

describe("how a command line boots", () => {
  const FIRMWARE = {
    ...{ kind: "firmware", bios: undefined, order: "cdn", once: undefined },
    ...{ menu: false, menuTimeoutMs: 2500, strict: false, retryMs: undefined },
  };
  const accepted: readonly [string, unknown][] = [
    ["", FIRMWARE],
    ["-bios /usr/share/seabios/bios.bin", { ...FIRMWARE, bios: "/usr/share/seabios/bios.bin" }],
    ["-boot d", { ...FIRMWARE, order: "d" }],
    ["-boot order=nc", { ...FIRMWARE, order: "nc" }],
    ["-boot once=d", { ...FIRMWARE, once: "d" }],
    ["-boot order=cd,once=nd -boot menu=off", { ...FIRMWARE, order: "cd", once: "nd" }],
    ["-boot reboot-timeout=5000", { ...FIRMWARE, retryMs: 5000 }],
    ["-boot reboot-timeout=-1", FIRMWARE],
    ["-boot menu=on,splash-time=1000", { ...FIRMWARE, menu: true, menuTimeoutMs: 1000 }],
    ["-boot c -boot strict=on", { ...FIRMWARE, order: "c", strict: true }],
    ["-kernel k -boot d", { kind: "direct", kernel: "k", initrd: undefined, cmdline: "" }],
  ];
  for (const [line, boot] of accepted) {
    it(`understands ${line === "" ? "nothing at all" : line}`, () => {
      assert.deepEqual(machineOf(line).boot, boot);
    });
  }

  const refused: readonly [string, string][] = [
    ["-initrd i", "--initrd: needs a kernel"],
    ["-append a", "--append: needs a kernel"],
    ["-kernel k -bios b", "--bios: is not used where a kernel is given, which starts without firmware"],
    ["-boot z", "--boot order: must be made of the letters c (disk), d (CD), n (network) and a (floppy)"],
    ["-boot acdn", "--boot order: must have at most 3 letters: CMOS memory has no room for more"],
    ["-boot cc", "--boot order: must have each letter only once"],
    ["-boot once=z", "--boot once: must be made of the letters c (disk), d (CD), n (network) and a (floppy)"],
    ["-boot once=dd", "--boot once: must have each letter only once"],
    ["-boot reboot-timeout=65536", "--boot reboot-timeout: must be a whole number from 0 to 65535"],
    ["-boot reboot-timeout=-2", "--boot reboot-timeout: must be a whole number, not '-2'"],
    ["-boot splash=logo.jpg", "--boot splash: is not there: there is no display to show a picture on"],
    ["-boot menu=perhaps", "--boot menu: must be on or off, not 'perhaps'"],
    ["-boot menu=on,splash-time=65536", "--boot splash-time: must be a whole number from 0 to 65535"],
    ["-boot ordr=c", "--boot: unknown setting 'ordr': did you mean 'order'?"],
  ];
  for (const [line, message] of refused) {
    it(`refuses ${line}`, () => {
      assert.deepEqual(refusal(words(`${XEN} ${line}`)), [message, 2]);
    });
  }
});
