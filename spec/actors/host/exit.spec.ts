/** Exits decoded from run areas that are made up by the offsets of the real header. */
import assert from "node:assert/strict";
import { KvmRun, SyncRegs } from "../../../actors/host/exit.js";
import type { VmExit } from "../../../actors/host/exit.js";
import { kvmReference, runOffset } from "../../support/kvm-reference.js";

const AREA = 3 * 4096;
/** [KVM] KVM_EXIT_IO_IN, KVM_EXIT_IO_OUT. */
const IO_IN = 0;
const IO_OUT = 1;

/** A run area in the second page of its buffer. */
class Area {
  readonly run = new KvmRun(new SharedArrayBuffer(4096 + AREA), 4096, AREA);

  constructor(exit: string, fields: Readonly<Record<string, readonly [bytes: 1 | 2 | 4 | 8, value: number]>> = {}) {
    this.#put("exitReason", 4, kvmReference.exits[exit] ?? Number(exit));
    for (const [field, [bytes, value]] of Object.entries(fields)) this.#put(field, bytes, value);
  }

  #put(field: string, bytes: 1 | 2 | 4 | 8, value: number): void {
    const { view } = this.run;
    const at = runOffset(field);
    if (bytes === 1) view.setUint8(at, value);
    else if (bytes === 2) view.setUint16(at, value, true);
    else if (bytes === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
  }
}

const io = (direction: number, size: number, count: number): ConstructorParameters<typeof Area> => [
  "io",
  {
    ioDirection: [1, direction],
    ioSize: [1, size],
    ioPort: [2, 0xcf8],
    ioCount: [4, count],
    ioDataOffset: [8, 0x1000],
  },
];

const mmio = (isWrite: number): ConstructorParameters<typeof Area> => [
  "mmio",
  { mmioAddress: [8, 0x1_fec0_0010], mmioLength: [4, 8], mmioIsWrite: [1, isWrite] },
];

const msr = (exit: string): ConstructorParameters<typeof Area> => [
  exit,
  { msrIndex: [4, 0xc000_0080], msrData: [8, 0xdead_0000_beef] },
];

const TABLE: readonly (readonly [string, ConstructorParameters<typeof Area>, VmExit])[] = [
  ["out", io(IO_OUT, 4, 1), { kind: "io", write: true, port: 0xcf8, size: 4, count: 1, dataOffset: 0x1000 } as VmExit],
  [
    "rep insw",
    io(IO_IN, 2, 256),
    { kind: "io", write: false, port: 0xcf8, size: 2, count: 256, dataOffset: 0x1000 } as VmExit,
  ],
  ["Hyper-V's reset MSR", ["systemEvent", { systemEventType: [4, 2] }], { kind: "system-event", event: 2 }],
  ["a hypercall of Hyper-V's", ["hyperv", { hypervType: [4, 2] }], { kind: "hyperv", hypercall: true }],
  ["Hyper-V's event controller", ["hyperv", { hypervType: [4, 1] }], { kind: "hyperv", hypercall: false }],
  [
    "MMIO write above 4 GiB",
    mmio(1),
    { kind: "mmio", write: true, address: 0x1_fec0_0010, size: 8, dataOffset: runOffset("mmioData") } as VmExit,
  ],
  [
    "MMIO read",
    mmio(0),
    { kind: "mmio", write: false, address: 0x1_fec0_0010, size: 8, dataOffset: runOffset("mmioData") } as VmExit,
  ],
  ["rdmsr", msr("rdmsr"), { kind: "rdmsr", index: 0xc000_0080, low: 0x0000_beef, high: 0xdead }],
  ["wrmsr", msr("wrmsr"), { kind: "wrmsr", index: 0xc000_0080, low: 0x0000_beef, high: 0xdead }],
  [
    "hypercall",
    ["xen", { xenType: [4, 1], xenLongMode: [4, 1], xenCpl: [4, 3] }],
    { kind: "xen", longMode: true, cpl: 3 },
  ],
  ["unknown kind of Xen exit", ["xen", { xenType: [4, 2] }], { kind: "unknown", reason: 34 }],
  ["EOI", ["ioapicEoi", { eoiVector: [1, 0x31] }], { kind: "ioapic-eoi", vector: 0x31 }],
  ["hlt", ["hlt"], { kind: "hlt" }],
  ["open interrupt window", ["irqWindowOpen"], { kind: "interrupt-window" }],
  ["interruption", ["intr"], { kind: "interrupted" }],
  ["triple fault", ["shutdown"], { kind: "shutdown" }],
  ["failed entry", ["failEntry", { failEntryReason: [8, 0x8000_0021] }], { kind: "fail-entry", reason: 0x8000_0021n }],
  [
    "internal error",
    ["internalError", { internalSuberror: [4, 1], internalNdata: [4, 2], internalData: [8, 7] }],
    { kind: "internal-error", suberror: 1, data: [7n, 0n] },
  ],
  [
    "internal error with a wrong count",
    ["internalError", { internalSuberror: [4, 3], internalNdata: [4, 0xffff_ffff] }],
    { kind: "internal-error", suberror: 3, data: Array<bigint>(16).fill(0n) },
  ],
  ["reason that we do not know", ["4000"], { kind: "unknown", reason: 4000 }],
];

describe("KvmRun.decode()", () => {
  for (const [name, area, expected] of TABLE) {
    it(`tells ${name}`, () => {
      assert.deepEqual(new Area(...area).run.decode(), expected);
    });
  }

  it("makes no new object for an exit of the hot path", () => {
    for (const kind of ["io", "mmio", "rdmsr", "wrmsr", "ioapicEoi", "hlt", "irqWindowOpen", "intr", "shutdown"]) {
      const { run } = new Area(kind);
      assert.equal(run.decode(), run.decode(), kind);
    }
  });
});

describe("KvmRun", () => {
  it("sets and clears immediate_exit without touching its neighbours", () => {
    const { run } = new Area("hlt");
    run.requestInterruptWindow = true;
    run.setImmediateExit();
    assert.deepEqual([...run.bytes.subarray(0, 4)], [1, 1, 0, 0]);
    run.clearImmediateExit();
    run.requestInterruptWindow = false;
    assert.deepEqual([...run.bytes.subarray(0, 4)], [0, 0, 0, 0]);
  });

  it("reads the interrupt flags where the kernel puts them", () => {
    const { run } = new Area("hlt", { readyForInterrupt: [1, 1], ifFlag: [1, 0] });
    assert.deepEqual([run.readyForInterrupt, run.interruptsEnabled], [true, false]);
    const other = new Area("hlt", { readyForInterrupt: [1, 0], ifFlag: [1, 1] }).run;
    assert.deepEqual([other.readyForInterrupt, other.interruptsEnabled], [false, true]);
  });

  it("answers an MSR exit with a value or with a fault", () => {
    const { run } = new Area("rdmsr");
    run.answerMsr(false, 1, 2);
    assert.equal(run.view.getUint8(runOffset("msrError")), 0);
    assert.equal(run.view.getBigUint64(runOffset("msrData"), true), 0x2_0000_0001n);
    run.answerMsr(true);
    assert.equal(run.view.getUint8(runOffset("msrError")), 1);
  });

  it("refuses a hypercall of Hyper-V's by its status, [TLFS] HV_STATUS_INVALID_HYPERCALL_CODE", () => {
    const { run } = new Area("hyperv", { hypervType: [4, 2] });
    run.refuseHypervHypercall();
    assert.equal(run.view.getBigUint64(runOffset("hypervResult"), true), 2n);
  });

  it("asks for register sets and marks them dirty in the kernel's words", () => {
    const { run } = new Area("hlt");
    run.sync = SyncRegs.sregs + SyncRegs.regs;
    run.dirty = SyncRegs.regs;
    assert.equal(run.view.getBigUint64(runOffset("validRegs"), true), 3n);
    assert.equal(run.view.getBigUint64(runOffset("dirtyRegs"), true), 1n);
  });

  it("has its register views and hypercall places where the header has them", () => {
    const { run } = new Area("hlt");
    run.regs.rip = 0x1234n;
    run.sregs.cr3 = 0x5000;
    run.events.interruptNr = 0x31;
    const { structs } = kvmReference;
    const offset = (struct: string, field: string): number => structs[struct]?.offsets[field] ?? -1;
    assert.equal(run.view.getUint16(runOffset("regs") + offset("kvmRegs", "rip"), true), 0x1234);
    assert.equal(run.view.getUint16(runOffset("sregs") + offset("kvmSregs", "cr3"), true), 0x5000);
    assert.equal(run.view.getUint8(runOffset("events") + offset("kvmVcpuEvents", "interruptNr")), 0x31);
    assert.deepEqual(
      [KvmRun.REGS, KvmRun.SREGS, KvmRun.XEN_INPUT, KvmRun.XEN_RESULT, KvmRun.XEN_PARAMS],
      ["regs", "sregs", "xenInput", "xenResult", "xenParams"].map(runOffset),
    );
  });
});
