/** [SMBIOS] DSP0134, 2.8.0 */
import assert from "node:assert/strict";
import { buildSmbios, linkSmbios } from "../../../devices/boot/smbios.js";
import type { SmbiosConfig } from "../../../devices/boot/smbios.js";

const GIB = 2 ** 30;
const CONFIG: SmbiosConfig = {
  xenVersion: 0x4_0011,
  uuid: Uint8Array.from(Buffer.from("550e8400e29b41d4a716446655440000", "hex")),
  sockets: 2,
  coresPerSocket: 2,
  threadsPerCore: 2,
  lowRamBytes: 3.5 * GIB,
  highRamBytes: 20 * GIB,
};

interface Structure {
  readonly type: number;
  readonly handle: number;
  readonly bytes: DataView;
  readonly strings: readonly string[];
}

/** The structures as a reader walks over them: 6.1. */
function structures(config: SmbiosConfig = CONFIG, bios = true): readonly Structure[] {
  const { tables } = buildSmbios(config, bios);
  const found: Structure[] = [];
  for (let at = 0; at < tables.length;) {
    const length = tables[at + 1] ?? 0;
    let end = at + length;
    while (tables[end] !== 0 || tables[end + 1] !== 0) end++;
    found.push({
      type: tables[at] ?? 0,
      handle: (tables[at + 2] ?? 0) + (tables[at + 3] ?? 0) * 256,
      bytes: new DataView(tables.buffer, at, length),
      strings: Buffer.from(tables.subarray(at + length, end))
        .toString("latin1")
        .split("\0")
        .filter(Boolean),
    });
    at = end + 2;
  }
  return found;
}

function only(type: number, config?: SmbiosConfig): readonly Structure[] {
  return structures(config).filter((each) => each.type === type);
}

describe("buildSmbios()", () => {
  it("has the structures that a PC must have (6.2), each with a handle of its own, and an end", () => {
    const all = structures();
    assert.deepEqual(
      all.map(({ type }) => type),
      [0, 1, 3, 4, 4, 16, 17, 17, 19, 19, 32, 127],
    );
    assert.equal(new Set(all.map(({ handle }) => handle)).size, all.length);
    assert.equal(structures(CONFIG, false)[0]?.type, 1, "firmware describes itself");
  });

  it("names the machine as Xen's domain builder does, or itself", () => {
    const uuid = "550e8400-e29b-41d4-a716-446655440000";
    assert.deepEqual(only(1)[0]?.strings, ["Xen", "HVM domU", "4.17", uuid]);
    assert.deepEqual(only(1, { ...CONFIG, xenVersion: 0 })[0]?.strings.slice(0, 2), ["Xenolith", "Xenolith PC"]);
    assert.equal(only(0)[0]?.strings[0], "Xen");
  });

  it("encodes the UUID with its first fields little-endian (7.2.1)", () => {
    const bytes = only(1)[0]?.bytes;
    assert(bytes !== undefined);
    const uuid = Buffer.from(bytes.buffer, bytes.byteOffset + 8, 16).toString("hex");
    assert.equal(uuid, "00840e559be2d441a716446655440000");
  });

  it("has structures as long as their version says", () => {
    const lengths = Object.fromEntries(structures().map(({ type, bytes }) => [type, bytes.byteLength]));
    assert.deepEqual(lengths, { 0: 24, 1: 27, 3: 21, 4: 42, 16: 23, 17: 40, 19: 31, 32: 11, 127: 4 });
  });

  it("counts cores and threads of each socket (7.5)", () => {
    const processors = only(4).map(({ bytes, strings }) => [strings[0], bytes.getUint8(0x23), bytes.getUint8(0x25)]);
    assert.deepEqual(processors, [
      ["CPU 0", 2, 4],
      ["CPU 1", 2, 4],
    ]);
  });

  it("divides memory into modules and says where it shows (7.17, 7.18, 7.20)", () => {
    assert.equal(only(16)[0]?.bytes.getUint32(7, true), 23.5 * 2 ** 20);
    assert.deepEqual(
      only(17).map(({ bytes }) => bytes.getUint16(0x0c, true)),
      [16 * 1024, 7.5 * 1024],
    );
    assert.deepEqual(
      only(19).map(({ bytes }) => [bytes.getUint32(4, true), bytes.getUint32(8, true)]),
      [
        [0, 3.5 * 2 ** 20 - 1],
        [4 * 2 ** 20, 24 * 2 ** 20 - 1],
      ],
    );
  });

  it("says that it is a virtual machine (7.1.2.2)", () => {
    assert.equal((only(0)[0]?.bytes.getUint8(0x13) ?? 0) & 0x10, 0x10);
  });
});

describe("linkSmbios()", () => {
  const smbios = buildSmbios(CONFIG, true);
  const linked = linkSmbios(smbios, 0xf_4020);
  const view = new DataView(linked.buffer);
  const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

  it("points at the tables and adds up to 0 in both parts (5.2.1)", () => {
    assert.equal(Buffer.from(linked).toString("latin1", 0, 4), "_SM_");
    assert.equal(Buffer.from(linked).toString("latin1", 16, 21), "_DMI_");
    assert.deepEqual([view.getUint32(24, true), view.getUint16(22, true)], [0xf_4020, smbios.tables.length]);
    assert.equal(view.getUint16(28, true), structures().length);
    assert.deepEqual([linked.length, linked[5], sum(linked), sum(linked.subarray(16))], [31, 31, 0, 0]);
  });

  it("leaves the anchor that it was given as it was", () => {
    assert.equal(new DataView(smbios.anchor.buffer).getUint32(24, true), 0);
  });
});
