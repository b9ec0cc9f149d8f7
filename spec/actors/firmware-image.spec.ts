import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { loadFirmware } from "../../actors/firmware-image.js";
import { openLibc } from "../../actors/host/libc.js";
import { VmmError } from "../../shared/errors.js";
import { temporaryFolder } from "../support/temporary.js";

const UNIT = 64 * 1024;

function image(units: number): Uint8Array {
  return Uint8Array.from({ length: units * UNIT }, (_, i) => i >> 10);
}

describe("loadFirmware()", () => {
  const libc = openLibc();
  const folder = temporaryFolder();

  it("reads an image by its path", () => {
    const rom = loadFirmware(libc, folder.file("two.bin", image(2)), []);
    assert.equal(rom.size, 2 * UNIT);
    assert.deepEqual(new Uint8Array(rom.memory.buffer, 0, rom.size).slice(), image(2));
  });

  it("finds SeaBIOS, and a name without folder, where distributions put them", () => {
    folder.file("bios-256k.bin", image(4));
    folder.file("bios.bin", image(1));
    const folders = [folder.path("absent"), folder.path(".")];
    assert.equal(loadFirmware(libc, undefined, folders).size, 4 * UNIT);
    assert.equal(loadFirmware(libc, "bios.bin", folders).size, UNIT);
  });

  it("names the package when there is no SeaBIOS", () => {
    assert.throws(
      () => loadFirmware(libc, undefined, [folder.path("absent")]),
      (error: unknown) =>
        error instanceof VmmError &&
        error.code === "HOST_UNSUPPORTED" &&
        /^Cannot find SeaBIOS \(.*\/absent\/bios-256k\.bin\): install the package seabios, name an image with --bios, /.test(
          error.message,
        ),
    );
  });

  /** [what, its path, what the one line says] */
  const REFUSED: readonly (readonly [string, () => string, RegExp])[] = [
    [
      "a file that is not there",
      () => folder.path("none.bin"),
      /^Cannot use the firmware .*none\.bin: there is no such file$/,
    ],
    ["an empty one", () => folder.file("empty", ""), /: its size, 0 bytes, is not a multiple of 64 KiB up to 8 MiB$/],
    ["an odd size", () => folder.file("odd", new Uint8Array(UNIT + 1)), /: its size, 65537 bytes, is not/],
    ["more than fits", () => folder.file("large", new Uint8Array(129 * UNIT)), /: its size, 8454144 bytes, is not/],
    [
      "a folder",
      () => {
        mkdirSync(folder.path("folder"));
        return folder.path("folder");
      },
      /: it is not a regular file$/,
    ],
    ["a device", () => "/dev/zero", /: it is not a regular file$/],
  ];
  for (const [what, path, pattern] of REFUSED) {
    it(`refuses ${what}, by name`, () => {
      assert.throws(
        () => loadFirmware(libc, path(), []),
        (error: unknown) => error instanceof VmmError && error.code === "CONFIG" && pattern.test(error.message),
      );
    });
  }
});
