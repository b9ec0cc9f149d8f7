/** The script, carried out as firmware does: [LOADER]. */
import assert from "node:assert/strict";
import { buildAcpi } from "../../../../devices/boot/acpi/tables.js";
import { buildLoaderFiles, LoaderFile } from "../../../../devices/boot/firmware/table-loader.js";

const CONFIG = {
  ...{ apicIds: [0, 1], serialPorts: [0], keyboard: true, mouse: false, vga: false },
  pmBase: 0x600,
  pciWindowStart: 0x8000_0000,
};
/** Where this firmware puts its allocations. */
const PLACES = { high: 0x07ff_0000, fseg: 0x000f_5a00 } as const;

interface Blob {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  address: number;
}

function text(bytes: Uint8Array, from: number): string {
  const end = bytes.indexOf(0, from);
  return Buffer.from(bytes.subarray(from, Math.min(end, from + 56))).toString("latin1");
}

/** What each allocation asked for, and the blobs as they are after all commands. */
function carriedOut(): { readonly blobs: ReadonlyMap<string, Blob>; readonly asked: readonly (readonly unknown[])[] } {
  const files = buildLoaderFiles(buildAcpi(CONFIG));
  const blobs = new Map<string, Blob>(
    [
      [LoaderFile.rsdp, files.rsdp.slice()],
      [LoaderFile.tables, files.tables.slice()],
    ].map(([name, bytes]) => {
      const blob = bytes as Uint8Array;
      return [name as string, { bytes: blob, view: new DataView(blob.buffer), address: -1 }];
    }),
  );
  const named = (name: string): Blob => {
    const blob = blobs.get(name);
    assert(blob !== undefined, name);
    return blob;
  };
  const asked: (readonly unknown[])[] = [];
  assert.equal(files.script.length % 128, 0);
  for (let at = 0; at < files.script.length; at += 128) {
    const entry = files.script.subarray(at, at + 128);
    const view = new DataView(entry.buffer, entry.byteOffset, 128);
    const file = named(text(entry, 4));
    switch (view.getUint32(0, true)) {
      case 1:
        asked.push([text(entry, 4), view.getUint32(60, true), entry[64]]);
        file.address = entry[64] === 2 ? PLACES.fseg : PLACES.high;
        break;
      case 2: {
        const target = named(text(entry, 60));
        const offset = view.getUint32(116, true);
        assert(file.address >= 0 && target.address >= 0, "both are allocated");
        assert([4, 8].includes(entry[120] ?? 0));
        file.view.setUint32(offset, file.view.getUint32(offset, true) + target.address, true);
        break;
      }
      case 3: {
        const [result, start, length] = [60, 64, 68].map((field) => view.getUint32(field, true)) as [
          number,
          number,
          number,
        ];
        const sum = file.bytes.subarray(start, start + length).reduce((total, byte) => total + byte, 0);
        file.bytes[result] = ((file.bytes[result] ?? 0) - sum) & 0xff;
        break;
      }
      default:
        assert.fail(`command ${view.getUint32(0, true)}`);
    }
  }
  return { blobs, asked };
}

describe("buildLoaderFiles()", () => {
  const { blobs, asked } = carriedOut();
  const rsdp = blobs.get(LoaderFile.rsdp);
  const tables = blobs.get(LoaderFile.tables);
  assert(rsdp !== undefined && tables !== undefined);
  const at = (address: number): number => address - PLACES.high;
  const signature = (address: number): string =>
    Buffer.from(tables.bytes).toString("latin1", at(address), at(address) + 4);
  const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

  it("allocates the root pointer where it is looked for, and the tables high and aligned for the FACS", () => {
    assert.deepEqual(asked, [
      [LoaderFile.rsdp, 16, 2],
      [LoaderFile.tables, 64, 1],
    ]);
  });

  it("links every table from the root pointer on", () => {
    assert.equal(signature(rsdp.view.getUint32(16, true)), "RSDT");
    const xsdt = Number(rsdp.view.getBigUint64(24, true));
    assert.equal(signature(xsdt), "XSDT");
    const listed = Array.from({ length: (tables.view.getUint32(at(xsdt) + 4, true) - 36) / 8 }, (_, i) =>
      Number(tables.view.getBigUint64(at(xsdt) + 36 + i * 8, true)),
    );
    assert.deepEqual(listed.map(signature), ["FACP", "APIC", "WAET"]);
    const fadt = at(listed[0] ?? 0);
    assert.equal(signature(tables.view.getUint32(fadt + 36, true)), "FACS");
    assert.equal(tables.view.getUint32(fadt + 36, true) % 64, 0);
    assert.equal(signature(tables.view.getUint32(fadt + 40, true)), "DSDT");
    assert.equal(tables.view.getUint32(fadt + 56, true), 0x600, "PM1a_EVT_BLK");
  });

  it("sums up every table that has a checksum", () => {
    assert.deepEqual([sum(rsdp.bytes.subarray(0, 20)), sum(rsdp.bytes)], [0, 0]);
    let summed = 0;
    for (let offset = 0; offset < tables.bytes.length;) {
      const length = tables.view.getUint32(offset + 4, true);
      const name = signature(PLACES.high + offset);
      if (/^[A-Z]{4}$/.test(name)) {
        if (name !== "FACS") assert.equal(sum(tables.bytes.subarray(offset, offset + length)), 0, name);
        summed++;
        offset += length;
      } else offset++;
    }
    assert.equal(summed, 7);
  });
});
