import assert from "node:assert/strict";
import { passtArguments } from "../../../actors/host/passt-arguments.js";
import { VmmError } from "../../../shared/errors.js";

describe("passtArguments()", () => {
  it("gives the guest the addresses that QEMU's user-mode network has", () => {
    assert.equal(
      passtArguments([]).join(" "),
      "--foreground --quiet --fd 3 --address 10.0.2.15 --netmask 255.255.255.0 --gateway 10.0.2.2 --dns-forward 10.0.2.3",
    );
  });

  for (const [given, option, value] of [
    ["tcp::2222-:22", "--tcp-ports", "2222:22"],
    ["::2222-:22", "--tcp-ports", "2222:22"],
    [":127.0.0.1:2222-:22", "--tcp-ports", "127.0.0.1/2222:22"],
    ["udp::69-10.0.2.15:69", "--udp-ports", "69:69"],
  ] as const) {
    it(`forwards ${given} as ${option} ${value}`, () => {
      assert.deepEqual(passtArguments([given]).slice(-2), [option, value]);
    });
  }

  it("forwards several ports", () => {
    assert.deepEqual(passtArguments(["tcp::1-:2", "udp::3-:4"]).slice(-4), [
      "--tcp-ports",
      "1:2",
      "--udp-ports",
      "3:4",
    ]);
  });

  for (const [given, reason] of [
    ["", "it must be [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport"],
    ["2222-22", "it must be [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport"],
    ["sctp::1-:2", "it must be [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport"],
    ["tcp::1-:2 --log-file /x", "it must be [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport"],
    ["tcp::0-:22", "0 is not a port from 1 to 65535"],
    ["tcp::22-:65536", "65536 is not a port from 1 to 65535"],
    ["tcp::22-10.0.2.16:22", "the guest's address is 10.0.2.15, not 10.0.2.16"],
    ["tcp:localhost:22-:22", "localhost is not an IPv4 address"],
    ["tcp:1.2.3.256:22-:22", "1.2.3.256 is not an IPv4 address"],
  ] as const) {
    it(`refuses ${JSON.stringify(given)} (C4)`, () => {
      assert.throws(
        () => passtArguments([given]),
        (error) =>
          error instanceof VmmError &&
          error.code === "CONFIG" &&
          error.message === `Cannot forward ${JSON.stringify(given)}: ${reason}`,
      );
    });
  }
});
