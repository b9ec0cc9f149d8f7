import assert from "node:assert/strict";
import { blockText, networkText, pciText } from "../../../cli/monitor/info.js";
import { resolveConfig } from "../../../shared/config.js";

describe("what the monitor says of", () => {
  it("disks: image and place", () => {
    const { disks } = resolveConfig({
      accel: { xenVersion: 0x4_000a },
      disks: [
        { id: "disk", path: "a.img", cache: "none" },
        { id: "ide1-cd0", media: "cdrom", attach: { kind: "ide", channel: 1, unit: 0 } },
        { id: "cd", path: "b.iso", media: "cdrom", attach: { kind: "ide" } },
        { id: "v", path: "c.img", attach: { kind: "virtio", slot: 12 } },
      ],
    });
    const drives = [
      { id: "ide1-cd0", path: undefined, trayOpen: true, locked: false },
      { id: "cd", path: "next.iso", trayOpen: false, locked: true },
    ];
    assert.deepEqual(blockText(disks, drives).split("\n"), [
      "disk: a.img (raw)",
      "    Attached to:      xen xvda",
      "    Cache mode:       none",
      "",
      "ide1-cd0: [not inserted]",
      "    Attached to:      ide.1 unit 0",
      "    Removable device: not locked, tray open",
      "",
      "cd: next.iso (raw, read-only)",
      "    Attached to:      ide.0 unit 0",
      "    Removable device: locked, tray closed",
      "    Cache mode:       writeback",
      "",
      "v: c.img (raw)",
      "    Attached to:      virtio-blk-pci 0c.0",
      "    Cache mode:       writeback",
    ]);
  });

  it("network adapters: address, link and network", () => {
    const model = { kind: "virtio" } as const;
    const { nets } = resolveConfig({
      nets: [
        { model, backend: { kind: "user", hostForwards: ["tcp::2222-:22"] } },
        { model, backend: { kind: "tap", ifname: "tap0" } },
        { model, backend: { kind: "stream", path: "/run/n" } },
        { model, backend: { kind: "dgram", local: "/a", remote: "/b" } },
        {
          model,
          backend: { kind: "dgram", local: { host: "0.0.0.0", port: 1 }, remote: { host: "127.0.0.1", port: 2 } },
        },
        { model, id: "loose", mac: "02:00:00:00:00:01", backend: { kind: "none" } },
      ],
    });
    const nic = "type=nic,model=virtio-net-pci";
    const status = nets.map(({ id, mac, backend }, i) => ({ id, mac, backend: backend.kind, linkUp: i < 3 }));
    assert.deepEqual(networkText(nets, status).split("\n"), [
      `net0: index=0,${nic},macaddr=52:54:00:12:34:56`,
      " \\ type=user,hostfwd=tcp::2222-:22",
      `net1: index=1,${nic},macaddr=52:54:00:12:34:57`,
      " \\ type=tap,ifname=tap0",
      `net2: index=2,${nic},macaddr=52:54:00:12:34:58`,
      " \\ type=stream,server=off,path=/run/n",
      `net3: index=3,${nic},macaddr=52:54:00:12:34:59,link=down`,
      " \\ type=dgram,local=/a,remote=/b",
      `net4: index=4,${nic},macaddr=52:54:00:12:34:5a,link=down`,
      " \\ type=dgram,local=0.0.0.0:1,remote=127.0.0.1:2",
      `loose: index=5,${nic},macaddr=02:00:00:00:00:01,link=down`,
      " \\ nothing plugged in",
    ]);
  });

  it("PCI functions: identity, interrupt and base addresses", () => {
    const report = {
      name: "xen-platform",
      slot: 2,
      function: 0,
      vendor: 0x5853,
      device: 1,
      classCode: 0xff80,
      subsystemVendor: 0x5853,
      subsystem: 1,
      interruptPin: 1,
      interruptLine: 11,
      bars: [
        { index: 0, kind: "io", base: 0xc000, length: 0x100 },
        { index: 1, kind: "mmio", base: 0xf000_0000, length: 0x100_0000 },
      ],
    } as const;
    const bridge = { ...report, slot: 0, classCode: 0x0600, subsystemVendor: 0, interruptPin: 0, bars: [] };
    assert.deepEqual(pciText([bridge, report]).split("\n"), [
      "  Bus  0, device   0, function 0:",
      "    Host bridge: PCI device 5853:0001 (xen-platform)",
      "  Bus  0, device   2, function 0:",
      "    Class ff80: PCI device 5853:0001 (xen-platform)",
      "      PCI subsystem 5853:0001",
      "      IRQ 11, pin A",
      "      BAR0: I/O at 0xc000 [0xc0ff]",
      "      BAR1: 32 bit memory at 0xf0000000 [0xf0ffffff]",
    ]);
  });
});
