import assert from "node:assert/strict";
import { hypervCpuid, showsHyperv } from "../../actors/hyperv-cpuid.js";
import type { CpuidEntry } from "../../actors/host/vcpu.js";
import { resolveConfig } from "../../shared/config.js";
import type { CpuConfig, MachineConfig } from "../../shared/config.js";

function entry(leaf: number, registers: Partial<CpuidEntry>): CpuidEntry {
  return { function: leaf, index: 0, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0, ...registers };
}

/** A KVM with all of it: KVM_GET_SUPPORTED_HV_CPUID of Linux 6.12. */
const FULL: readonly CpuidEntry[] = [
  entry(0x4000_0000, { eax: 0x4000_0082 }),
  entry(0x4000_0002, { eax: 0x3839, ebx: 0x000a_0000 }),
  entry(0x4000_0003, { eax: 0x2aff, ebx: 0x30, edx: 0x8_0518 }),
  entry(0x4000_0004, { eax: 0xc2c, ebx: 0xfff }),
  entry(0x4000_0005, { eax: 1024, ebx: 64 }),
];

function cpu(given: MachineConfig["cpu"]): CpuConfig {
  return resolveConfig({ boot: { kernel: "k" }, cpu: given }).cpu;
}

function register(entries: readonly CpuidEntry[], leaf: number, name: "eax" | "ebx" | "edx"): number {
  return entries.find(({ function: number }) => number === leaf)?.[name] ?? -1;
}

type Names = CpuConfig["hyperv"];
/** [TLFS] leaf 0x40000003: EAX 5 is the hypercall MSRs, EDX 3 dynamic partitioning; both always. */
const TABLE: readonly (readonly [hyperv: Names, access: number, features: number, recommended: number])[] = [
  [["relaxed"], 0x20, 0x8, 1 << 5],
  [["vapic"], 0x30, 0x8, 1 << 3],
  [["time"], 0x222, 0x8, 0],
  [["vpindex"], 0x60, 0x8, 0],
  [["runtime"], 0x21, 0x8, 0],
  [["crash"], 0x20, 0x408, 0],
  [["reset"], 0xa0, 0x8, 0],
  [["frequencies"], 0x820, 0x108, 0],
  [["reenlightenment"], 0x2020, 0x8, 0],
  [["xmm-input"], 0x20, 0x18, 0],
  [["vpindex", "synic"], 0x64, 0x8, 0],
  [["vpindex", "synic", "time", "stimer"], 0x26e, 0x8, 0],
  [["vpindex", "synic", "time", "stimer", "stimer-direct"], 0x26e, 0x8_0008, 0],
  [["vpindex", "tlbflush"], 0x60, 0x8, 0x804],
  [["vpindex", "ipi"], 0x60, 0x8, 0xc00],
];

describe("hypervCpuid()", () => {
  for (const [hyperv, access, features, recommended] of TABLE) {
    it(`has the bits of ${hyperv.join(", ")}`, () => {
      const entries = hypervCpuid(cpu({ hyperv }), FULL);
      const row = [
        register(entries, 0x4000_0003, "eax"),
        register(entries, 0x4000_0003, "edx"),
        register(entries, 0x4000_0004, "eax"),
      ];
      assert.deepEqual(row, [access, features, recommended]);
    });
  }

  it("says how often to try a spinlock: for ever, when nothing is said", () => {
    assert.equal(register(hypervCpuid(cpu({ hyperv: ["relaxed"] }), FULL), 0x4000_0004, "ebx"), 0xffff_ffff);
    assert.equal(register(hypervCpuid(cpu({ hypervSpinlocks: 0x1fff }), FULL), 0x4000_0004, "ebx"), 0x1fff);
  });

  it("has the interface's name, and KVM's version and limits", () => {
    const entries = hypervCpuid(cpu({ hyperv: ["time"] }), FULL);
    // "Hv#1"
    assert.equal(register(entries, 0x4000_0001, "eax"), 0x3123_7648);
    assert.deepEqual([register(entries, 0x4000_0002, "eax"), register(entries, 0x4000_0005, "eax")], [0x3839, 1024]);
  });

  it("names what the host cannot give", () => {
    const less = FULL.map((leaf) => (leaf.function === 0x4000_0003 ? { ...leaf, eax: leaf.eax & ~(1 << 9) } : leaf));
    assert.throws(() => hypervCpuid(cpu({ hyperv: ["relaxed", "time"] }), less), {
      code: "CONFIG",
      message: "cpu.hyperv.time: this host's KVM cannot give it to the guest",
    });
    assert.throws(() => hypervCpuid(cpu({ hypervSpinlocks: 1 }), []), {
      code: "CONFIG",
      message: "cpu.hypervSpinlocks: this host's KVM is no Hyper-V to its guests",
    });
  });
});

describe("showsHyperv()", () => {
  it("is true as soon as anything is asked for", () => {
    assert.deepEqual(
      [{}, { hyperv: ["vapic"] as const }, { hypervSpinlocks: 4095 }].map((given) => showsHyperv({ cpu: cpu(given) })),
      [false, true, true],
    );
  });
});
