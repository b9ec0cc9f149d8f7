/** What VCPUOP_initialise takes, and what it refuses. Offsets and attributes are those of public/hvm/hvm_vcpu.h. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeContext } from "../../xen/vcpu-context.js";
import type { StoredContext } from "../../xen/vcpu-context.js";

const MODE_32 = 0;
const MODE_64 = 1;
/** sizeof the union of both sets of registers. */
const BYTES = 120;
/** [offset, bytes, value] in the registers. */
type Field = readonly [offset: number, bytes: 2 | 4 | 8, value: bigint | number];

function context(mode: number, ...fields: readonly Field[]): StoredContext {
  const registers = new Uint8Array(BYTES);
  const view = new DataView(registers.buffer);
  for (const [offset, bytes, value] of fields) {
    if (bytes === 8) view.setBigUint64(offset, BigInt(value), true);
    else if (bytes === 4) view.setUint32(offset, Number(value), true);
    else view.setUint16(offset, Number(value), true);
  }
  return { mode, pad: 0, registers };
}

// struct vcpu_hvm_x86_32.
const EIP = 32;
const EFLAGS = 36;
const CR0_32 = 40;
const CR4_32 = 48;
const PAD1 = 52;
const EFER_32 = 56;
const CS_LIMIT = 84;
const TR_LIMIT = 100;
const CS_AR = 104;
const DS_AR = 106;
const SS_AR = 108;
const ES_AR = 110;
const TR_AR = 112;
const PAD2 = 114;

/** Flat protected mode without paging. */
const FLAT: readonly Field[] = [
  [EIP, 4, 0x10_0000],
  [CR0_32, 4, 1],
  [CS_LIMIT, 4, 0xffff_ffff],
  [TR_LIMIT, 4, 0x67],
  [CS_AR, 2, 0xc9a],
  [DS_AR, 2, 0xc92],
  [SS_AR, 2, 0xc92],
  [ES_AR, 2, 0],
  [TR_AR, 2, 0x89],
];

// struct vcpu_hvm_x86_64.
const RSP = 32;
const RIP = 64;
const RFLAGS = 72;
const CR0_64 = 80;
const CR3_64 = 88;
const CR4_64 = 96;
const EFER_64 = 104;

const LONG: readonly Field[] = [
  [RSP, 8, 0x1234_5678_9abc_def0n],
  [RIP, 8, 0xffff_ffff_8100_0000n],
  [CR0_64, 8, 0x8000_0001],
  [CR3_64, 8, 0x1000],
  [CR4_64, 8, 0x20],
  [EFER_64, 8, 0x100],
];

describe("decodeContext()", () => {
  it("gives present segments of 32-bit mode the marks of use that a processor would", () => {
    const decoded = decodeContext(context(MODE_32, ...FLAT));
    assert(decoded !== undefined);
    const { cs, ds, ss, es, tr } = decoded;
    assert.deepEqual([cs.type, ds.type, ss.type, tr.type], [0xb, 3, 3, 0xb]);
    assert.deepEqual([cs.s, cs.dpl, cs.present, cs.avl, cs.l, cs.db, cs.g, cs.unusable], [1, 0, 1, 0, 0, 1, 1, 0]);
    assert.deepEqual([tr.s, tr.limit], [0, 0x67]);
    assert.deepEqual([es.present, es.unusable], [0, 1]);
  });

  it("leaves out flags that do not exist, and sets the one that is always set", () => {
    const { registers } = decodeContext(context(MODE_32, ...FLAT, [EFLAGS, 4, 0xffff_ffff])) ?? {};
    assert.equal(registers?.rflags, 0x3f_7fd7n);
    assert.equal(decodeContext(context(MODE_64, ...LONG, [RFLAGS, 8, 0]))?.registers.rflags, 2n);
  });

  it("starts 64-bit mode with flat segments, and long mode active", () => {
    const decoded = decodeContext(context(MODE_64, ...LONG));
    assert(decoded !== undefined);
    assert.equal(decoded.efer, 0x500);
    assert.deepEqual([decoded.cs.l, decoded.cs.db, decoded.cs.type, decoded.tr.limit], [1, 0, 0xb, 0x67]);
    assert.deepEqual([decoded.registers.rip, decoded.registers.rsp], [0xffff_ffff_8100_0000n, 0x1234_5678_9abc_def0n]);
  });

  it("activates long mode in 32-bit code only with paging", () => {
    assert.equal(decodeContext(context(MODE_32, ...FLAT, [EFER_32, 8, 0x100]))?.efer, 0x100);
    const paging: Field = [CR0_32, 4, 0x8000_0001];
    assert.equal(decodeContext(context(MODE_32, ...FLAT, paging, [EFER_32, 8, 0x100]))?.efer, 0x500);
  });

  const takes: readonly (readonly [name: string, fields: readonly Field[]])[] = [
    [
      "the last byte of a segment of bytes",
      [
        [CS_AR, 2, 0x49a],
        [CS_LIMIT, 4, 0xffff],
        [EIP, 4, 0xffff],
      ],
    ],
    [
      "the last byte of a segment of pages",
      [
        [CS_LIMIT, 4, 0x100],
        [EIP, 4, 0x10_0fff],
      ],
    ],
    ["readable code in DS", [[DS_AR, 2, 0xc9a]]],
    ["no data segment at all", [[DS_AR, 2, 0]]],
  ];
  for (const [name, fields] of takes) {
    it(`takes ${name}`, () => {
      assert(decodeContext(context(MODE_32, ...FLAT, ...fields)) !== undefined);
    });
  }

  const refuses: readonly (readonly [name: string, field: readonly Field[]])[] = [
    ["a first padding that is not zero", [[PAD1, 4, 1]]],
    ["a last padding that is not zero", [[PAD2 + 4, 2, 1]]],
    ["attribute bits 15:12", [[DS_AR, 2, 0x1c92]]],
    ["a null CS", [[CS_AR, 2, 0]]],
    ["a null SS", [[SS_AR, 2, 0]]],
    ["a null TR", [[TR_AR, 2, 0]]],
    ["a CS that is not present", [[CS_AR, 2, 0xc1a]]],
    ["data in CS", [[CS_AR, 2, 0xc92]]],
    ["a system segment in DS", [[DS_AR, 2, 0xc82]]],
    ["code in SS", [[SS_AR, 2, 0xc9a]]],
    ["an SS that cannot be written", [[SS_AR, 2, 0xc90]]],
    ["an ES that cannot be read", [[ES_AR, 2, 0xc98]]],
    ["data in TR", [[TR_AR, 2, 0x93]]],
    ["a 16-bit TSS", [[TR_AR, 2, 0x81]]],
    [
      "an EIP behind the limit of CS",
      [
        [CS_LIMIT, 4, 0xff],
        [EIP, 4, 0x10_0000],
      ],
    ],
    ["levels of SS and CS that differ", [[SS_AR, 2, 0xcf2]]],
    ["a DS of a lower privilege than CS", [[DS_AR, 2, 0xcf2]]],
    ["EFER.LMA without LME", [[EFER_32, 8, 0x400]]],
    ["EFER bits that nobody knows", [[EFER_32, 8, 0x10_0000_0000n]]],
    ["CR4 bits that nobody knows", [[CR4_32, 4, 0x8000]]],
  ];
  for (const [name, fields] of refuses) {
    it(`refuses ${name}`, () => {
      assert.equal(decodeContext(context(MODE_32, ...FLAT, ...fields)), undefined);
    });
  }

  const refuses64: readonly (readonly [name: string, field: Field])[] = [
    ["a RIP that is not canonical", [RIP, 8, 0x8000_0000_0000n]],
    ["CR0 without paging", [CR0_64, 8, 1]],
    ["CR4 without PAE", [CR4_64, 8, 0]],
    ["EFER without LME", [EFER_64, 8, 1]],
    ["CR4 bits above 31", [CR4_64, 8, 0x1_0000_0020n]],
  ];
  for (const [name, field] of refuses64) {
    it(`refuses for 64-bit mode ${name}`, () => {
      assert.equal(decodeContext(context(MODE_64, ...LONG, field)), undefined);
    });
  }

  it("refuses another mode, and a padding that is not zero", () => {
    assert.equal(decodeContext(context(2, ...LONG)), undefined);
    assert.equal(decodeContext({ ...context(MODE_64, ...LONG), pad: 1 }), undefined);
  });

  it("takes any bytes without throwing", () => {
    const registers = fc.uint8Array({ minLength: BYTES, maxLength: BYTES });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 }), registers, (mode, bytes) => {
        decodeContext({ mode, pad: 0, registers: bytes });
      }),
    );
  });
});
