import assert from "node:assert/strict";
import { XEN, machineOf, refusal, words } from "./command-line.js";

describe("network adapters of a command line", () => {
  const accepted: readonly [string, unknown][] = [
    ["-nic none -net none", []],
    ["-nic user", [["net0", "52:54:00:12:34:56", 3, { kind: "user", hostForwards: [] }]]],
    [
      "-nic user,model=virtio-net-pci,mac=52:54:00:00:00:0F,hostfwd=tcp::2222-:22,hostfwd=udp::53-:53,id=lan",
      [["lan", "52:54:00:00:00:0f", 3, { kind: "user", hostForwards: ["tcp::2222-:22", "udp::53-:53"] }]],
    ],
    [
      "-netdev tap,id=t,ifname=tap0,script=no,downscript=no,vhost=off -device virtio-net-pci,netdev=t,addr=5",
      [["net0", "52:54:00:12:34:56", 5, { kind: "tap", ifname: "tap0" }]],
    ],
    [
      "-netdev stream,id=s,server=on,addr.type=unix,addr.path=/run/n -device virtio-net,netdev=s,id=n",
      [["n", "52:54:00:12:34:56", 3, { kind: "stream", path: "/run/n", server: true }]],
    ],
    [
      "-netdev stream,id=s,addr.type=unix,addr.path=/run/n,reconnect=2 -device virtio-net-pci,netdev=s",
      [["net0", "52:54:00:12:34:56", 3, { kind: "stream", path: "/run/n", server: false, reconnectMs: 2000 }]],
    ],
    [
      "-nic dgram,local.type=unix,local.path=/a,remote.type=unix,remote.path=/b",
      [["net0", "52:54:00:12:34:56", 3, { kind: "dgram", local: "/a", remote: "/b" }]],
    ],
    [
      "-nic dgram,local.type=inet,local.host=127.0.0.1,local.port=4001,remote.type=inet,remote.host=::1,remote.port=4002",
      [
        [
          "net0",
          "52:54:00:12:34:56",
          3,
          { kind: "dgram", local: { host: "127.0.0.1", port: 4001 }, remote: { host: "::1", port: 4002 } },
        ],
      ],
    ],
    [
      "-device virtio-net-pci -nic user",
      [
        ["net0", "52:54:00:12:34:56", 3, { kind: "user", hostForwards: [] }],
        ["net1", "52:54:00:12:34:57", 4, { kind: "none" }],
      ],
    ],
  ];
  for (const [line, expected] of accepted) {
    it(`understands ${line}`, () => {
      const nets = machineOf(line).nets.map(({ id, mac, model, backend }) => [id, mac, model.slot, backend]);
      assert.deepEqual(JSON.parse(JSON.stringify(nets)), expected);
    });
  }

  it("takes the boot index from the device", () => {
    assert.equal(machineOf("-device virtio-net-pci,bootindex=3").nets[0]?.bootIndex, 3);
  });

  it("has edu among the PCI devices", () => {
    assert.deepEqual(machineOf("-device edu -device edu,addr=0x1e,dma_mask=0xffff").devices, [
      { kind: "edu", slot: 3, dmaMask: 0xfff_ffff },
      { kind: "edu", slot: 30, dmaMask: 0xffff },
    ]);
  });

  const refused: readonly [string, string][] = [
    ["-net user", "--net: 'user' is not there: only none is: use --nic, or --netdev with --device virtio-net-pci"],
    ["-nic bridge", "--nic: there is no network 'bridge'"],
    ["-netdev socket,id=s", "--netdev: there is no network 'socket': use stream or dgram"],
    ["-netdev usr,id=s", "--netdev: there is no network 'usr': did you mean 'user'?"],
    ["-netdev id=s", "--netdev: there is no network ''"],
    ["-netdev user", "--netdev user: needs id="],
    ["-netdev user,id=a -netdev user,id=a", "--netdev: there are two with id=a"],
    ["-netdev user,id=a", "--netdev a: no device uses it: add --device virtio-net-pci,netdev=a"],
    ["-netdev user,id=a,restrict=on", "--netdev user: unknown setting 'restrict'"],
    ["-device virtio-net-pci,netdev=a", "--device virtio-net-pci netdev: there is no --netdev with id=a"],
    [
      "-netdev user,id=a -device virtio-net-pci,netdev=a -device virtio-net-pci,netdev=a",
      "--device virtio-net-pci netdev: a is in use by another device",
    ],
    ["-nic user,model=e1000", "--nic user model: 'e1000' is not there: use virtio-net-pci"],
    ["-nic tap", "--nic tap: needs ifname="],
    ["-nic tap,ifname=t,script=/etc/up", "--nic tap script: '/etc/up' is none of no"],
    ["-nic tap,ifname=t,vhost=on", "--nic tap vhost: is not there: frames pass through here"],
    ["-nic tap,ifname=a/b", "--netdev ifname: is not the name of a network interface"],
    ["-nic stream,addr.type=inet", "--nic stream addr.type: 'inet' is none of unix"],
    ["-nic dgram,local.type=inet,local.host=127.0.0.1", "--nic dgram: needs local.port="],
    ["-nic dgram,local.type=tcp", "--nic dgram local.type: 'tcp' is none of unix, inet"],
    ["-nic user,mac=1", "--device virtio-net-pci mac: must be an address such as 52:54:00:12:34:56"],
    [
      "-device edu,addr=2",
      "--device edu addr: must be from 0x3 to 0x1f, not 2: the chipset and the Xen platform have those below",
    ],
    ["-device edu,addr=3.1", "--device edu addr: '3.1': a device is function 0 of its own"],
    ["-device edu,addr=zz", "--device edu addr: 'zz' is no place on the bus: write 0x3 or 03.0"],
    ["-device edu,bus=pcie.0", "--device edu bus: 'pcie.0' is none of pci.0: did you mean 'pci.0'?"],
    [
      "-device edu,addr=4 -device virtio-net-pci,addr=04.0",
      "--device virtio-net-pci addr: 04.0 is taken by --device edu",
    ],
  ];
  for (const [line, message] of refused) {
    it(`refuses ${line}`, () => {
      assert.deepEqual(refusal(words(`${XEN} ${line}`)), [message, 2]);
    });
  }
});
