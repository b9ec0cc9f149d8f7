/** Discs that come and go while a guest looks at them. [MMC] sense keys: 2 not ready, 5 illegal request */
import assert from "node:assert/strict";
import { VmmError } from "../../shared/errors.js";
import { IDE_BOOT_CD, IDE_BOOT_DATA, IDE_BOOT_SUMS } from "../support/ide-boot-image.js";
import { ideMachine, order } from "../support/ide-service.js";
import { openDescriptors, spareThreadsEnded } from "../support/leftovers.js";
import { machines } from "../support/machines.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";

const FIRST = `cd: ${IDE_BOOT_SUMS.cd}`;
/** Checksum of the first 4 blocks of the other disc. */
const SECOND = `cd: ${IDE_BOOT_SUMS.otherCd}`;
const NO_DISC = "cd: sense 2";

function refusal(code: string, pattern: RegExp) {
  return (error: unknown): boolean =>
    error instanceof VmmError && error.code === code && pattern.test(error.message) && !error.message.includes("\n");
}

describe("A machine's CD drive", function () {
  this.timeout(30_000);
  const { create } = machines();
  const folder = temporaryFolder();
  let first = "";
  let second = "";

  before(function () {
    requireKvm(this, "ide-service.elf");
    first = folder.file("first.iso", IDE_BOOT_CD);
    second = folder.file("second.iso", IDE_BOOT_DATA);
  });

  it("starts with its disc, and has another one put in under the running guest", async () => {
    const running = await create(ideMachine(undefined, { path: first }));
    const { machine } = running;
    await machine.start();
    assert.deepEqual(await order(running, "c"), [FIRST]);
    await machine.changeMedium("cd", second);
    assert.deepEqual(await order(running, "c"), [SECOND]);
    assert.deepEqual(await machine.cdDrives(), [{ id: "cd", path: second, trayOpen: false, locked: false }]);
  });

  it("is emptied, tray open, and filled again", async () => {
    const running = await create(ideMachine(undefined, { path: first }));
    const { machine } = running;
    await machine.start();
    await machine.changeMedium("cd", undefined);
    assert.deepEqual(await machine.cdDrives(), [{ id: "cd", path: undefined, trayOpen: true, locked: false }]);
    assert.deepEqual(await order(running, "c"), [NO_DISC]);
    await machine.changeMedium("cd", first);
    assert.deepEqual(await order(running, "c"), [FIRST]);
  });

  it("starts empty, and gets its first disc later", async () => {
    const running = await create(ideMachine(undefined, {}));
    const { machine } = running;
    await machine.start();
    assert.deepEqual(await order(running, "c"), [NO_DISC]);
    await machine.changeMedium("cd", first);
    assert.deepEqual(await order(running, "c"), [FIRST]);
  });

  it("has its disc changed before the machine starts, and while it is paused", async () => {
    const running = await create(ideMachine(undefined, { path: first }));
    const { machine } = running;
    await machine.changeMedium("cd", second);
    await machine.start();
    assert.deepEqual(await order(running, "c"), [SECOND]);
    await machine.pause();
    await machine.changeMedium("cd", first);
    await machine.resume();
    assert.deepEqual(await order(running, "c"), [FIRST]);
  });

  it("keeps the disc of now over a reset", async () => {
    const running = await create(ideMachine(undefined, { path: first }));
    const { machine, text } = running;
    await machine.start();
    await machine.changeMedium("cd", second);
    assert.deepEqual(await order(running, "c"), [SECOND]);
    await machine.reset();
    while (text("serial0").split("serves\n").length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(await order(running, "c"), [SECOND]);
    assert.deepEqual((await machine.cdDrives())[0]?.path, second);
  });

  it("tells when the guest opens and closes its tray", async () => {
    const running = await create(ideMachine(undefined, { path: first }));
    const { machine } = running;
    const heard: string[] = [];
    machine.onTrayMoved((id, open) => heard.push(`${id} ${open ? "open" : "closed"}`));
    await machine.start();
    assert.deepEqual(await order(running, "e"), ["eject: done"]);
    assert.deepEqual(await machine.cdDrives(), [{ id: "cd", path: first, trayOpen: true, locked: false }]);
    while (heard.length < 1) await new Promise((resolve) => setTimeout(resolve, 2));
    assert.deepEqual(await order(running, "i"), ["load: done"]);
    while (heard.length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
    assert.deepEqual(heard, ["cd open", "cd closed"]);
    assert.deepEqual(await order(running, "c"), [FIRST]);
    // What the host does itself is no news to it.
    await machine.changeMedium("cd", undefined);
    await order(running, "c");
    assert.equal(heard.length, 2);
  });

  it("does not give up a disc that the guest has locked in, unless it is forced", async () => {
    const running = await create(ideMachine(undefined, { path: first }));
    const { machine } = running;
    await machine.start();
    assert.deepEqual(await order(running, "l"), ["lock: done"]);
    await assert.rejects(
      machine.changeMedium("cd", second),
      refusal("STATE", /^Cannot change the disc in cd: the guest has locked the tray/),
    );
    assert.deepEqual(await order(running, "c"), [FIRST]);
    assert.deepEqual(await order(running, "e"), ["eject: sense 5"]);
    await machine.changeMedium("cd", second, { force: true });
    assert.deepEqual(await order(running, "c"), [SECOND]);
    assert.deepEqual(await order(running, "u"), ["unlock: done"]);
    await machine.changeMedium("cd", first);
    assert.deepEqual(await order(running, "c"), [FIRST]);
  });

  it("stays as it is when the image cannot be used (C2), and leaves no file open", async () => {
    const running = await create(ideMachine(undefined, { path: first }));
    const { machine } = running;
    await machine.start();
    assert.deepEqual(await order(running, "c"), [FIRST]);
    await spareThreadsEnded();
    const before = openDescriptors();
    for (const [path, reason] of [
      [folder.path("missing.iso"), /missing\.iso: there is no such file$/],
      [folder.path("."), /it is neither a regular file nor a block device$/],
      [folder.file("empty.iso", ""), /empty\.iso: it is empty$/],
      [folder.file("odd.iso", new Uint8Array(2049)), /odd\.iso: its size, 2049 bytes, is not a multiple/],
      [folder.file("short.iso", new Uint8Array(512)), /short\.iso: its 512 bytes are less than one 2048-byte block/],
    ] as const) {
      await assert.rejects(machine.changeMedium("cd", path), refusal("CONFIG", reason));
    }
    await assert.rejects(machine.changeMedium("hd", second), refusal("CONFIG", /there is no disk of this name/));
    assert.deepEqual(openDescriptors(), before);
    assert.deepEqual(await order(running, "c"), [FIRST]);
    for (const path of [second, undefined, first, second]) await machine.changeMedium("cd", path);
    assert.equal(openDescriptors().length, before.length);
    assert.deepEqual(await order(running, "c"), [SECOND]);
  });

  it("is no more once the machine has ended", async () => {
    const { machine } = await create(ideMachine(undefined, { path: first }));
    await machine.start();
    await machine.stop();
    await assert.rejects(machine.changeMedium("cd", second), refusal("STATE", /a machine that is ended/));
    await assert.rejects(machine.cdDrives(), refusal("STATE", /a machine that is ended/));
  });
});
