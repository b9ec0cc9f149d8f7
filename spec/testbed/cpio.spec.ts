import assert from "node:assert/strict";
import { cpioArchive, cpioWithout } from "./cpio.js";

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

describe("cpioWithout()", () => {
  it("leaves out files by their paths, and keeps the others as they are", () => {
    const [directory, one, other] = [
      { kind: "directory", path: "lib" },
      { kind: "file", path: "lib/one", data: Buffer.from("1") },
      { kind: "file", path: "another", data: Buffer.from("22222") },
    ] as const;
    const archive = cpioArchive([directory, one, other]);
    assert.deepEqual(cpioWithout(archive, /^nothing$/), archive);
    const [text, expected] = [cpioWithout(archive, /^lib\/one$/), archive].map((bytes) => bytes.toString("latin1"));
    assert.equal(text, expected?.replace(/070701[0-9a-f]{104}lib\/one\0+1\0+/, ""));
  });

  it("refuses what is no such archive", () => {
    assert.throws(() => cpioWithout(Buffer.from("070707"), /x/), RangeError);
    assert.throws(() => cpioWithout(cpioArchive([]).subarray(0, 60), /x/), RangeError);
  });
});
