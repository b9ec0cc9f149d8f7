import assert from "node:assert/strict";
import { cpioArchive } from "./cpio.js";

describe("cpioArchive()", () => {
  it("writes header, name and data, each padded to 4 bytes", () => {
    const text = cpioArchive([{ kind: "file", path: "a", data: Buffer.from("hello") }]).toString("latin1");
    const header = `07070100000001000081a4${"00000000".repeat(2)}000000010000000000000005`;
    assert.equal(text.slice(0, 62), header);
    assert.equal(text.slice(110, 124), "a\0hello\0\0\0" + "0707");
    assert.equal(text.length % 4, 0);
  });

  it("marks directories, programs and symbolic links", () => {
    const archive = cpioArchive([
      { kind: "directory", path: "d" },
      { kind: "file", path: "d/p", data: Buffer.alloc(0), executable: true },
      { kind: "symlink", path: "l", target: "d" },
    ]).toString("latin1");
    const modes = [...archive.matchAll(/070701[0-9a-f]{8}([0-9a-f]{8})/g)].map((match) => match[1]);
    assert.deepEqual(modes, ["000041ed", "000081ed", "0000a1ff", "00000000"]);
  });

  it("ends with the trailer", () => {
    assert.match(cpioArchive([]).toString("latin1"), /^070701[0-9a-f]{104}TRAILER!!!\0+$/);
  });
});
