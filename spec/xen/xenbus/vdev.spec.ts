import assert from "node:assert/strict";
import fc from "fast-check";
import { parseVdev } from "../../../xen/xenbus/vdev.js";

describe("parseVdev()", () => {
  it("numbers disks as xen-vbd-interface(7) does", () => {
    for (const [text, number, name] of [
      ["xvda", 51712, "xvda"],
      ["xvda1", 51713, "xvda1"],
      ["xvdb", 51728, "xvdb"],
      ["xvdp15", 51967, "xvdp15"],
      ["xvda16", 268435472, "xvda16"],
      ["xvdq", 268439552, "xvdq"],
      ["xvdz", 268441856, "xvdz"],
      ["xvdaa", 268442112, "xvdaa"],
      ["d0", 51712, "xvda"],
      ["d0p1", 51713, "xvda1"],
      ["d16p255", 268439807, "xvdq255"],
      ["hda", 768, "hda"],
      ["hdb", 832, "hdb"],
      ["hdc", 5632, "hdc"],
      ["hdd63", 5759, "hdd63"],
      ["sda", 2048, "sda"],
      ["sdp15", 2303, "sdp15"],
      ["d1048575p255", 536870911, "xvdbgqcv255"],
    ] as const) {
      assert.deepEqual(parseVdev(text), { number, name }, text);
    }
  });

  it("C9: refuses names that name no disk", () => {
    for (const text of [
      "",
      "xvd",
      "xvda0",
      "xvda01",
      "xvda256",
      "xvda1000",
      "xvdA",
      "xvdzzzzz",
      "XVDA",
      " xvda",
      "xvda ",
      "xvda\0",
      "xvda\n",
      "hde",
      "hda64",
      "sdq",
      "sda16",
      "sdz99",
      "d",
      "dp1",
      "d01",
      "d1p",
      "d1p01",
      "d1048576",
      "d0p256",
      "d-1",
      "vda",
      "51712",
      "../xvda",
      "xvd__proto__",
      "x".repeat(1_000_000),
    ]) {
      assert.equal(parseVdev(text), undefined, text.slice(0, 20));
    }
  });

  it("gives each disk and partition a number of its own, under either name", () => {
    const disk = fc.nat({ max: (1 << 20) - 1 });
    const partition = fc.nat({ max: 255 });
    const seen = new Map<number, string>();
    fc.assert(
      fc.property(disk, partition, (d, p) => {
        const parsed = parseVdev(`d${d}${p === 0 ? "" : `p${p}`}`);
        assert(parsed !== undefined);
        assert.deepEqual(parseVdev(parsed.name), parsed);
        assert.equal(seen.get(parsed.number) ?? parsed.name, parsed.name);
        seen.set(parsed.number, parsed.name);
      }),
    );
  });
});
