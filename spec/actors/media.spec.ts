import assert from "node:assert/strict";
import { Media } from "../../actors/media.js";
import type { OpenDisk } from "../../actors/host/open-file.js";
import { resolveConfig } from "../../shared/config.js";
import { VmmError } from "../../shared/errors.js";

const { disks } = resolveConfig({
  boot: { kernel: "k" },
  accel: { xenVersion: 0x4_000a },
  disks: [
    { id: "root", path: "root.img" },
    { id: "hd", path: "hd.img", attach: { kind: "ide" } },
    { id: "cd", path: "first.iso", media: "cdrom", attach: { kind: "ide" } },
    { id: "spare", media: "cdrom", attach: { kind: "ide" } },
  ],
});

/** A machine that notes what is asked of it. */
class Rig {
  readonly done: string[] = [];
  locked = false;
  fails = false;
  #fd = 10;
  readonly media = new Media({
    disks,
    open: ({ path }): OpenDisk => {
      if (path === "missing.iso")
        throw new VmmError("CONFIG", "Cannot use the disk missing.iso: there is no such file");
      this.done.push(`open ${path ?? "nothing"}`);
      return {
        fd: path === undefined ? -1 : this.#fd++,
        bytes: 2048,
        isBlockDevice: false,
        inMemory: false,
        direct: false,
      };
    },
    refused: ({ fd }) => this.done.push(`refused ${fd}`),
    change: async (index, { fd }, force) => {
      await Promise.resolve();
      if (this.fails) throw new VmmError("ACTOR_FAILED", "gone");
      this.done.push(`change ${index} ${fd}`);
      return !this.locked || force;
    },
    status: (index) => Promise.resolve({ trayOpen: index === 3, locked: this.locked }),
  });
}

function refusal(code: string, message: RegExp) {
  return (error: unknown): boolean =>
    error instanceof VmmError && error.code === code && message.test(error.message) && !error.message.includes("\n");
}

describe("Media", () => {
  it("tells what is in the CD drives, and nothing of other disks", async () => {
    assert.deepEqual(await new Rig().media.drives(), [
      { id: "cd", path: "first.iso", trayOpen: false, locked: false },
      { id: "spare", path: undefined, trayOpen: true, locked: false },
    ]);
  });

  it("opens the next image first, then changes", async () => {
    const { media, done } = new Rig();
    await media.change("cd", "second.iso");
    assert.deepEqual(done, ["open second.iso", "change 2 10"]);
    assert.equal((await media.drives())[0]?.path, "second.iso");
  });

  it("takes a disc out", async () => {
    const { media, done } = new Rig();
    await media.change("cd", undefined);
    assert.deepEqual(done, ["open nothing", "change 2 -1"]);
    assert.equal((await media.drives())[0]?.path, undefined);
  });

  it("leaves the drive as it was when the image cannot be used", async () => {
    const { media, done } = new Rig();
    await assert.rejects(media.change("cd", "missing.iso"), refusal("CONFIG", /missing\.iso: there is no such file$/));
    assert.deepEqual(done, []);
    assert.equal((await media.drives())[0]?.path, "first.iso");
  });

  it("refuses while the guest has the tray locked, unless it is forced", async () => {
    const rig = new Rig();
    rig.locked = true;
    await assert.rejects(
      rig.media.change("cd", "second.iso"),
      refusal("STATE", /^Cannot change the disc in cd: the guest has locked the tray/),
    );
    assert.deepEqual(rig.done, ["open second.iso", "change 2 10", "refused 10"]);
    assert.equal((await rig.media.drives())[0]?.path, "first.iso");
    await rig.media.change("cd", "second.iso", { force: true });
    assert.equal((await rig.media.drives())[0]?.path, "second.iso");
  });

  it("gives the image back when the machine dies under it", async () => {
    const rig = new Rig();
    rig.fails = true;
    await assert.rejects(rig.media.change("cd", "second.iso"), refusal("ACTOR_FAILED", /gone/));
    assert.deepEqual(rig.done, ["open second.iso", "refused 10"]);
  });

  it("carries changes out one after the other, whatever came of the one before", async () => {
    const { media, done } = new Rig();
    const results = await Promise.allSettled([
      media.change("cd", "missing.iso"),
      media.change("cd", "second.iso"),
      media.change("spare", "third.iso"),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "fulfilled", "fulfilled"],
    );
    assert.deepEqual(done, [...["open second.iso", "change 2 10"], ...["open third.iso", "change 3 11"]]);
  });

  it("knows which disks are CD drives", async () => {
    const { media } = new Rig();
    await assert.rejects(
      media.change("dvd", "x.iso"),
      refusal("CONFIG", /^Cannot change the disc in dvd: there is no disk of this name; the CD drives are cd, spare$/),
    );
    await assert.rejects(media.change("hd", "x.iso"), refusal("CONFIG", /in hd: it is not a CD drive on IDE; the CD/));
    await assert.rejects(media.change("root", undefined), refusal("CONFIG", /in root: it is not a CD drive/));
  });

  it("passes on that the guest has moved a tray", () => {
    const { media } = new Rig();
    const heard: unknown[] = [];
    media.listen((id, open) => heard.push([id, open]));
    media.trayMoved(2, true);
    media.trayMoved(9, true);
    media.trayMoved(2, false);
    assert.deepEqual(heard, [
      ["cd", true],
      ["cd", false],
    ]);
  });
});
