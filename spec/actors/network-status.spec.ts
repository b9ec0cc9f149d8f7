import assert from "node:assert/strict";
import { networkStatus } from "../../actors/network-status.js";
import { resolveConfig } from "../../shared/config.js";

describe("networkStatus()", () => {
  it("tells each card's address, what it is plugged into, and its link", () => {
    const model = { kind: "virtio" } as const;
    const config = resolveConfig({
      nets: [
        { model, backend: { kind: "user" } },
        { model, id: "lan", mac: "02:00:00:00:00:01", backend: { kind: "tap", ifname: "tap0" } },
        { model, backend: { kind: "none" } },
      ],
    });
    assert.deepEqual(networkStatus(config, [true, false]), [
      { id: "net0", mac: "52:54:00:12:34:56", backend: "user", linkUp: true },
      { id: "lan", mac: "02:00:00:00:00:01", backend: "tap", linkUp: false },
      { id: "net2", mac: "52:54:00:12:34:57", backend: "none", linkUp: false },
    ]);
  });
});
