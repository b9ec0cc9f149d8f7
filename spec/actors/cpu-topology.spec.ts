/** [CPUID] topology leaves, also against those that QEMU gives for the same `-smp` (cpu-topology-generate.mjs). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { apicIdOf, apicShifts, topologyLeaves } from "../../actors/cpu-topology.js";
import type { CpuidEntry } from "../../actors/host/vcpu.js";
import { PROJECT } from "../support/project.js";

interface QemuMachine {
  readonly model: string;
  readonly cpus: number;
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
  /** vcpu, leaf, index, eax, ebx, ecx, edx */
  readonly leaves: readonly (readonly number[])[];
}

const QEMU = JSON.parse(readFileSync(join(PROJECT, "spec", "actors", "cpu-topology-qemu.json"), "utf8")) as {
  readonly machines: readonly QemuMachine[];
};

function entryOf([, leaf = 0, index = 0, eax = 0, ebx = 0, ecx = 0, edx = 0]: readonly number[]): CpuidEntry {
  return { function: leaf, index, flags: 0, eax, ebx, ecx, edx };
}

/**
 * Leaf 4 EAX 31:26 is a number of ids, less one: only its order counts, and QEMU has given it both ways. QEMU up to 9.0
 * says that one thread alone has a first-level cache; later ones give it to the threads of its core, as hardware does.
 */
function comparable({ function: leaf, index, eax, ebx, ecx, edx }: CpuidEntry): readonly (number | string)[] {
  const name = `0x${leaf.toString(16)}.${index}`;
  if (leaf !== 4) return [name, eax, ebx, ecx, edx];
  const level = (eax >>> 5) & 7;
  const sharing = level === 1 ? 0 : (eax >>> 14) & 0xfff;
  return [name, eax & 0x3fff, sharing, Math.ceil(Math.log2((eax >>> 26) + 1)), ebx, ecx, edx];
}

describe("topologyLeaves()", () => {
  for (const machine of QEMU.machines) {
    const { model, cpus, sockets, cores, threads } = machine;
    it(`gives an ${model} of ${sockets} sockets, ${cores} cores, ${threads} threads what QEMU gives it`, () => {
      const lone = QEMU.machines.find((other) => other.model === model && other.cpus === 1);
      const supported = (lone?.leaves ?? []).map(entryOf);
      for (let vcpu = 0; vcpu < cpus; vcpu++) {
        const theirs = machine.leaves.filter(([cpu]) => cpu === vcpu).map(entryOf);
        const ours = topologyLeaves(supported, { cores, threads }, vcpu);
        assert.ok(theirs.length > 10);
        assert.deepEqual(ours.map(comparable), theirs.map(comparable), `vCPU ${vcpu}`);
      }
    });
  }

  it("lets the threads of a core share its first and second caches, and the package its third (leaf 4 EAX 25:14)", () => {
    const caches = [0x121, 0x143, 0x163].map((eax, index) => ({ ...BASIC, function: 4, index, eax }));
    const leaves = topologyLeaves([BASIC, ...caches], { cores: 3, threads: 2 }, 0);
    const sharing = leaves.filter(({ function: leaf }) => leaf === 4).map(({ eax }) => ((eax >>> 14) & 0xfff) + 1);
    assert.deepEqual(sharing, [2, 2, 8]);
  });

  const BASIC: CpuidEntry = { function: 0, index: 0, flags: 0, eax: 0xd, ebx: 0x6874_7541, ecx: 0, edx: 0 };

  it("makes leaf 0xb where the host has none, as guests in x2APIC mode take their id from it", () => {
    const leaves = topologyLeaves([BASIC], { cores: 2, threads: 1 }, 1);
    assert.deepEqual(
      leaves
        .filter(({ function: leaf }) => leaf === 0xb)
        .map(({ index, eax, ebx, ecx, edx }) => [index, eax, ebx, ecx, edx]),
      [
        [0, 0, 1, 0x100, 1],
        [1, 1, 2, 0x201, 1],
        [2, 0, 0, 0x002, 1],
      ],
    );
    const old = topologyLeaves([{ ...BASIC, eax: 4 }], { cores: 2, threads: 1 }, 1);
    assert.equal(old.length, 1, "not beyond the last leaf that there is");
  });

  it("says in leaf 0x1f what it says in leaf 0xb", () => {
    const host = [
      BASIC,
      { ...BASIC, function: 0xb },
      { ...BASIC, function: 0x1f },
      { ...BASIC, function: 0x1f, index: 1 },
    ];
    const leaves = topologyLeaves(host, { cores: 2, threads: 2 }, 3);
    const levels = (number: number) =>
      leaves.filter(({ function: leaf }) => leaf === number).map((entry) => ({ ...entry, function: 0 }));
    assert.deepEqual(levels(0x1f), levels(0xb));
    assert.equal(levels(0x1f).length, 3);
  });

  it("numbers cores within their socket, and sockets as nodes, for AMD (0x8000001e)", () => {
    const leaves = topologyLeaves([BASIC, { ...BASIC, function: 0x8000_001e }], { cores: 2, threads: 2 }, 6);
    const { eax, ebx, ecx } = leaves.find(({ function: leaf }) => leaf === 0x8000_001e) ?? BASIC;
    assert.deepEqual([eax, ebx, ecx], [6, 0x101, 1]);
  });

  it("shows nothing of the host's own levels (0x80000026)", () => {
    assert.deepEqual(topologyLeaves([{ ...BASIC, function: 0x8000_0026 }], { cores: 1, threads: 1 }, 0), []);
  });
});

describe("apicIdOf()", () => {
  it("gives socket, core and thread bits of their own", () => {
    // 3 cores take 2 bits, 2 threads take 1: ids have a hole after each third core.
    const topology = { cores: 3, threads: 2 };
    assert.deepEqual(apicShifts(topology), { thread: 1, core: 3 });
    assert.deepEqual(
      Array.from({ length: 8 }, (_, i) => apicIdOf(i, topology)),
      [0, 1, 2, 3, 4, 5, 8, 9],
    );
  });

  it("counts from 0 without gaps where the topology is a power of two", () => {
    assert.deepEqual(
      Array.from({ length: 8 }, (_, i) => apicIdOf(i, { cores: 2, threads: 2 })),
      [0, 1, 2, 3, 4, 5, 6, 7],
    );
  });

  it("gives no two vCPUs the same id", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 4 }), (cores, threads) => {
        const ids = Array.from({ length: 64 }, (_, i) => apicIdOf(i, { cores, threads }));
        assert.equal(new Set(ids).size, 64);
      }),
    );
  });
});
