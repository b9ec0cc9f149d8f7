import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { MachineConfig } from "../../../shared/config.js";
import { resolveConfig } from "../../../shared/config.js";
import type { VmmError } from "../../../shared/errors.js";

const NONE = { model: { kind: "virtio" }, backend: { kind: "none" } } as const;
const VIRTIO_DISK = { path: "a", attach: { kind: "virtio" } } as const;

function refusal(config: unknown): string {
  try {
    resolveConfig(config);
    return "accepted";
  } catch (error) {
    return (error as VmmError).message;
  }
}

/** Slots in the order of the configuration: adapters, virtio disks, other devices. */
function slots(config: MachineConfig): readonly number[] {
  const { nets, disks, devices } = resolveConfig(config);
  return [
    ...nets.map(({ model }) => model.slot),
    ...disks.flatMap(({ attach }) => (attach.kind === "virtio" ? [attach.slot] : [])),
    ...devices.map(({ slot }) => slot),
  ];
}

describe("network adapters of a configuration", () => {
  it("get names and addresses of their own, around those that were asked for", () => {
    const nets = [
      NONE,
      { ...NONE, mac: "52:54:00:12:34:57" },
      { ...NONE, id: "lan" },
      { ...NONE, mac: "02:00:00:00:00:0A" },
    ];
    assert.deepEqual(
      resolveConfig({ nets }).nets.map(({ id, mac }) => [id, mac]),
      [
        ["net0", "52:54:00:12:34:56"],
        ["net1", "52:54:00:12:34:57"],
        ["lan", "52:54:00:12:34:58"],
        ["net3", "02:00:00:00:00:0a"],
      ],
    );
  });

  it("keep what they are plugged into", () => {
    const backends = [
      { kind: "user", hostForwards: ["tcp::2222-:22"] },
      { kind: "tap", ifname: "tap0" },
      { kind: "stream", path: "/run/net", server: true },
      { kind: "dgram", local: "/run/a", remote: "/run/b" },
      { kind: "dgram", local: { host: "127.0.0.1", port: 4001 }, remote: { host: "fe80::1", port: 4002 } },
    ] as const;
    const nets = backends.map((backend) => ({ ...NONE, backend }));
    assert.deepEqual(
      resolveConfig({ nets }).nets.map(({ backend }) => backend),
      backends,
    );
  });

  it("send datagrams to addresses of both families", () => {
    for (const host of [
      "0.0.0.0",
      "::",
      "::1",
      "1:2:3:4:5:6:7:8",
      "1::8",
      "::ffff:192.0.2.1",
      "1:2:3:4:5:6:192.0.2.1",
    ]) {
      const end = { host, port: 9 };
      const nets = [{ ...NONE, backend: { kind: "dgram", local: end, remote: end } as const }];
      assert.deepEqual(resolveConfig({ nets }).nets[0]?.backend, nets[0]?.backend);
    }
  });

  it("come before virtio disks and other devices on the PCI bus, all around the slots that were asked for", () => {
    assert.deepEqual(
      slots({
        accel: { xenVersion: 0x4_000a },
        nets: [NONE, NONE],
        disks: [VIRTIO_DISK, { path: "b" }, { path: "c", attach: { kind: "virtio", slot: 4 } }],
        devices: [{ kind: "edu" }, { kind: "edu", slot: 31 }],
      }),
      [3, 5, 6, 4, 7, 31],
    );
  });

  const refused: readonly [unknown, RegExp][] = [
    [{ nets: [{ backend: { kind: "none" } }] }, /^nets\.0\.model: must be given$/],
    [{ nets: [{ ...NONE, mac: "52:54:00:12:34" }] }, /^nets\.0\.mac: must be an address such as/],
    [{ nets: [{ ...NONE, mac: "01:00:00:00:00:00" }] }, /^nets\.0\.mac: is a multicast address$/],
    [{ nets: [{ ...NONE, mac: "00:00:00:00:00:00" }] }, /^nets\.0\.mac: is no address at all$/],
    [{ nets: [{ ...NONE, backend: { kind: "bridge" } }] }, /^nets\.0\.backend\.kind: must be a network/],
    [{ nets: [{ ...NONE, backend: { kind: "tap", ifname: "a/b" } }] }, /^nets\.0\.backend\.ifname: is not the name/],
    [{ nets: [{ ...NONE, backend: { kind: "tap", ifname: "" } }] }, /^nets\.0\.backend\.ifname: is not the name/],
    [
      {
        nets: [
          { ...NONE, id: "a" },
          { ...NONE, id: "a" },
        ],
      },
      /^nets\.1\.id: "a" is the name of another already$/,
    ],
    ...[
      { host: "localhost", port: 1 },
      { host: "127.0.0.256", port: 1 },
      { host: "1:2:3:4:5:6:7", port: 1 },
      { host: "1::2::3", port: 1 },
      { host: "1:2:3:4:5:6:7::8", port: 1 },
      { host: "::1.2.3", port: 1 },
      { host: "::12345", port: 1 },
      { host: "127.0.0.1", port: 0 },
      { host: "127.0.0.1", port: 65_536 },
      5,
    ].map((local): [unknown, RegExp] => [
      { nets: [{ ...NONE, backend: { kind: "dgram", local, remote: "/r" } }] },
      /^nets\.0\.backend\.local: must be the path of a Unix socket, or \{ host, port \}/,
    ]),
    [
      { nets: [{ ...NONE, backend: { kind: "dgram", local: "/".repeat(108), remote: "/r" } }] },
      /^nets\.0\.backend\.local: is longer than 107 bytes/,
    ],
    [
      { nets: [{ ...NONE, model: { kind: "virtio", slot: 2 } }] },
      /^nets\.0\.model\.slot: must be a whole number from 3 to 31$/,
    ],
    [
      { nets: [{ ...NONE, model: { kind: "virtio", slot: 9 } }], devices: [{ kind: "edu", slot: 9 }] },
      /^devices\.0\.slot: 9 is taken by nets\.0\.model\.slot$/,
    ],
    [
      { nets: Array.from({ length: 29 }, () => NONE), disks: [VIRTIO_DISK] },
      /^disks\.0\.attach\.slot: no PCI slot is free: there are 29$/,
    ],
    [
      { nets: [{ ...NONE, bootIndex: 1 }], disks: [{ ...VIRTIO_DISK, bootIndex: 1 }] },
      /^nets\.0\.bootIndex: 1 is that of disks\.0 already$/,
    ],
  ];
  for (const [config, line] of refused) {
    it(`are refused: ${JSON.stringify(config).slice(0, 90)}`, () => {
      assert.match(refusal(config), line);
    });
  }
});
