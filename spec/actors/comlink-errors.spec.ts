import assert from "node:assert/strict";
import { MessageChannel } from "node:worker_threads";
import { expose, releaseProxy, wrap } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { carryErrors } from "../../actors/comlink-errors.js";
import { VmmError } from "../../shared/errors.js";

interface Api {
  fail(): void;
  failOddly(): void;
  work(): number;
}

describe("carryErrors()", () => {
  const { port1, port2 } = new MessageChannel();
  const api: Api = {
    fail() {
      throw new VmmError("HOST_SYSCALL", "Cannot read", { errno: 5 }, { cause: new TypeError("inner") });
    },
    failOddly() {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- what a library may do
      throw "just text";
    },
    work: () => 42,
  };
  const remote = wrap<Api>(nodeEndpoint(port2));

  before(() => {
    carryErrors();
    expose(api, nodeEndpoint(port1));
  });
  after(() => {
    remote[releaseProxy]();
    port1.close();
    port2.close();
  });

  it("brings an error over with its code, details, cause and stack", async () => {
    await assert.rejects(remote.fail(), (error: unknown) => {
      assert(error instanceof VmmError);
      assert.deepEqual([error.code, error.message, error.details], ["HOST_SYSCALL", "Cannot read", { errno: 5 }]);
      assert.match(error.stack ?? "", /Object\.fail/);
      assert.equal((error.cause as Error).name, "TypeError");
      return true;
    });
  });

  it("makes an error of whatever else is thrown", async () => {
    await assert.rejects(remote.failOddly(), { name: "Error", message: "just text" });
  });

  it("leaves results alone", async () => {
    assert.equal(await remote.work(), 42);
  });
});
