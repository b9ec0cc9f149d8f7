/** [SEABIOS] docs/Runtime_config.md and src/fw/paravirt.c: names, sizes and what they mean. */
import assert from "node:assert/strict";
import { firmwareFiles, firmwareItems } from "../../../../devices/boot/firmware/files.js";
import type { FirmwareConfig } from "../../../../devices/boot/firmware/files.js";

const CONFIG: FirmwareConfig = {
  ramBytes: 5 * 2 ** 30,
  boot: { candidates: [], strict: false, menuTimeoutMs: undefined, retryMs: undefined },
  smbios: {
    ...{ xenVersion: 0x4_000a, uuid: new Uint8Array(16), sockets: 1, coresPerSocket: 1, threadsPerCore: 1 },
    ...{ lowRamBytes: 3.5 * 2 ** 30, highRamBytes: 1.5 * 2 ** 30 },
  },
  serialPorts: [0],
  acpi: {
    ...{ apicIds: [0], serialPorts: [0], keyboard: true, mouse: false, vga: false },
    pciWindowStart: 0xe000_0000,
  },
};

function files(changes: Partial<FirmwareConfig> = {}, pmBase = () => 0xb000): ReadonlyMap<string, () => Uint8Array> {
  return new Map(
    firmwareFiles({ ...CONFIG, ...changes }, { pmBase }).map(({ name, data }) => [
      name,
      () => (typeof data === "function" ? data() : data),
    ]),
  );
}

function bytes(name: string, changes: Partial<FirmwareConfig> = {}): readonly number[] | undefined {
  const made = files(changes).get(name)?.();
  return made === undefined ? undefined : [...made];
}

describe("firmwareFiles()", () => {
  it("maps RAM and the pages to keep clear, 20 bytes each", () => {
    const view = new DataView(Uint8Array.from(bytes("etc/e820") ?? []).buffer);
    const entries = Array.from({ length: view.byteLength / 20 }, (_, i) => [
      Number(view.getBigUint64(i * 20, true)),
      Number(view.getBigUint64(i * 20 + 8, true)),
      view.getUint32(i * 20 + 16, true),
    ]);
    assert.deepEqual(entries, [
      [0, 3.5 * 2 ** 30, 1],
      [0xfeff_8000, 0x4000, 2],
      [0xfeff_c000, 0x4000, 2],
      [2 ** 32, 1.5 * 2 ** 30, 1],
    ]);
  });

  it("has SMBIOS tables whose length the entry point tells", () => {
    const anchor = Uint8Array.from(bytes("etc/smbios/smbios-anchor") ?? []);
    assert.equal(new DataView(anchor.buffer).getUint16(22, true), bytes("etc/smbios/smbios-tables")?.length);
  });

  it("sends the console to COM1 where there is one", () => {
    assert.deepEqual(bytes("etc/sercon-port"), [0xf8, 0x03]);
    assert.equal(bytes("etc/sercon-port", { serialPorts: [1] }), undefined);
  });

  it("tries again when nothing boots, in ms, or never", () => {
    assert.deepEqual(bytes("etc/boot-fail-wait"), [0xff, 0xff, 0xff, 0xff]);
    assert.deepEqual(bytes("etc/boot-fail-wait", { boot: { ...CONFIG.boot, retryMs: 5000 } }), [0x88, 0x13, 0, 0]);
  });

  it("lists boot devices and the menu's time when there are any", () => {
    assert.deepEqual([bytes("bootorder"), bytes("etc/boot-menu-wait")], [undefined, undefined]);
    const candidates = [{ device: { kind: "ide", channel: 0, unit: 0 }, bootIndex: 1 }] as const;
    const boot = { candidates, strict: true, menuTimeoutMs: 1500, retryMs: undefined };
    assert.match(Buffer.from(bytes("bootorder", { boot }) ?? []).toString(), /^\/pci@i0cf8\/ide@1,1.*\nHALT\0$/);
    assert.deepEqual(bytes("etc/boot-menu-wait", { boot }), [0xdc, 0x05]);
  });

  it("has no ACPI tables for a machine without", () => {
    const names = [...files({ acpi: undefined }).keys()];
    assert.deepEqual(
      ["etc/acpi/tables", "etc/acpi/rsdp", "etc/table-loader"].filter((name) => names.includes(name)),
      [],
    );
  });

  it("makes the ACPI tables for where the power management block is when they are read", () => {
    let pmBase = 0xb000;
    const made = files({}, () => pmBase);
    const events = (): number => {
      const tables = made.get("etc/acpi/tables")?.() ?? new Uint8Array(0);
      const fadt = Buffer.from(tables).indexOf("FACP");
      return new DataView(tables.buffer).getUint32(fadt + 56, true);
    };
    const sizes = (): readonly (number | undefined)[] =>
      ["etc/acpi/tables", "etc/acpi/rsdp", "etc/table-loader"].map((name) => made.get(name)?.().length);
    const before = sizes();
    assert.equal(events(), 0xb000);
    pmBase = 0x600;
    assert.equal(events(), 0x600);
    assert.deepEqual(sizes(), before, "sizes are in the directory, which was read before");
  });
});

describe("firmwareItems()", () => {
  it("say whether there is a menu, and that the timer is at pin 2", () => {
    const items = (menuTimeoutMs: number | undefined) =>
      firmwareItems({ ...CONFIG, boot: { ...CONFIG.boot, menuTimeoutMs } }).map(({ key, data }) => [
        key,
        [...(typeof data === "function" ? data() : data)],
      ]);
    assert.deepEqual(items(undefined), [
      [0x0e, [0, 0]],
      [0x8002, [1]],
    ]);
    assert.deepEqual(items(0)[0], [0x0e, [1, 0]]);
  });
});
