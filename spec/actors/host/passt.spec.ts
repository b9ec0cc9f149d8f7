import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, existsSync } from "node:fs";
import { dirname } from "node:path";
import { Passt } from "../../../actors/host/passt.js";
import { VmmError } from "../../../shared/errors.js";
import { hostFixture } from "../../support/host-fixture.js";
import { settle } from "../../support/leftovers.js";
import { temporaryFolder } from "../../support/temporary.js";
import { cannotRun } from "../../support/cannot-run.js";

const MAC = "52:54:00:12:34:56";

describe("Passt", () => {
  const host = hostFixture();
  const folder = temporaryFolder();
  const path = process.env["PATH"];

  afterEach(() => {
    process.env["PATH"] = path;
  });

  /** A program of that name that does what `script` says, instead of the real one. */
  function instead(script: string): void {
    const program = folder.file("passt", `#!/bin/sh\n${script}\n`);
    chmodSync(program, 0o755);
    process.env["PATH"] = `${dirname(program)}:${path ?? ""}`;
  }

  function start(): Passt {
    return Passt.start(host, { hostForwards: [], mac: MAC });
  }

  async function refused(passt: Passt): Promise<string> {
    const error = await passt.ready().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    closeSync(passt.fd);
    await passt.end();
    assert.ok(error instanceof VmmError && error.code === "HOST_UNSUPPORTED", String(error));
    return error.message;
  }

  it("is named with its package when it is not installed (C4)", async () => {
    process.env["PATH"] = "/nonexistent";
    assert.equal(
      await refused(start()),
      "Cannot give the guest a user-mode network: passt is not installed (Debian package passt)",
    );
  });

  it("is quoted when it ends at once (C4)", async () => {
    instead("echo 'Failed to send 4 bytes to syslog' >&2; echo 'Failed to bind any port' >&2; exit 1");
    assert.equal(
      await refused(start()),
      "Cannot give the guest a user-mode network: passt ended (code 1): Failed to bind any port",
    );
  });

  it("is ready when it answers, and reports an end that nobody asked for", async () => {
    // Answers with a byte, then takes the question and, some time later, leaves.
    instead("printf x >&3; dd bs=46 count=1 <&3 >/dev/null 2>&1; sleep 0.3; echo 'Out of luck' >&2; exit 3");
    const passt = start();
    await passt.ready();
    const line = await new Promise((resolve) => {
      passt.onEnd(resolve);
    });
    closeSync(passt.fd);
    assert.equal(line, "Cannot give the guest a user-mode network: passt ended (code 3): Out of luck");
    await passt.end();
  });

  it("asks for the gateway by ARP, on Ethernet, from the guest's addresses", async () => {
    const asked = folder.path("asked");
    instead(`dd bs=46 count=1 <&3 >${asked} 2>/dev/null; printf x >&3; cat <&3 >/dev/null`);
    const passt = start();
    await passt.ready();
    closeSync(passt.fd);
    await passt.end();
    const { stdout } = spawnSync("od", ["-An", "-tx1", "-v", asked], { encoding: "utf8" });
    assert.equal(
      stdout.replace(/\s/g, ""),
      "0000002a" +
        "ffffffffffff" +
        "525400123456" +
        "0806" +
        "0001080006040001" +
        "525400123456" +
        "0a00020f" +
        "000000000000" +
        "0a000202",
    );
  });

  it("is killed when it does not end with its socket", async function () {
    this.timeout(10_000);
    instead("trap '' HUP TERM; printf x >&3; exec sleep 1000");
    const passt = start();
    await passt.ready();
    closeSync(passt.fd);
    await passt.end();
    assert.equal(existsSync(`/proc/${passt.pid ?? 0}`), false);
  });

  describe("the real one", function () {
    before(function () {
      if (spawnSync("passt", ["--version"]).error !== undefined) cannotRun(this, "passt is not installed");
    });

    it("serves the network until its socket is closed, and leaves nothing behind", async () => {
      const passt = start();
      await passt.ready();
      const running = existsSync(`/proc/${passt.pid ?? 0}`);
      closeSync(passt.fd);
      await settle(() => !existsSync(`/proc/${passt.pid ?? 0}`));
      await passt.end();
      assert.equal(running, true);
      assert.equal(existsSync(`/proc/${passt.pid ?? 0}`), false);
    });
  });
});
