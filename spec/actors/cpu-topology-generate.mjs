/**
 * Writes cpu-topology-qemu.json: what QEMU's CPUID says of the topology for several `-smp`, as a guest of ours reads it.
 * Needs `qemu-system-x86_64` and guests/build; run it by hand:
 *
 *     npm run build && node spec/actors/cpu-topology-generate.mjs
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const GUEST = fileURLToPath(new URL("../../guests/build/cpuid.multiboot.elf", import.meta.url));
const RESULT = fileURLToPath(new URL("cpu-topology-qemu.json", import.meta.url));

/** One of each maker: they count cores and share caches in different leaves. */
const MODELS = ["Skylake-Client", "EPYC"];
const SMP = [
  { cpus: 1, sockets: 1, cores: 1, threads: 1 },
  { cpus: 2, sockets: 2, cores: 1, threads: 1 },
  { cpus: 2, sockets: 1, cores: 1, threads: 2 },
  { cpus: 4, sockets: 1, cores: 4, threads: 1 },
  { cpus: 4, sockets: 1, cores: 2, threads: 2 },
  { cpus: 8, sockets: 2, cores: 2, threads: 2 },
  { cpus: 6, sockets: 2, cores: 3, threads: 1 },
  { cpus: 6, sockets: 1, cores: 3, threads: 2 },
  { cpus: 5, sockets: 1, cores: 5, threads: 1 },
];

/** Until two runs say the same: a busy host makes QEMU lose a character of the serial line now and then. */
function cpuid(model, smp) {
  for (let last = ""; ;) {
    const leaves = run(model, smp);
    const text = JSON.stringify(leaves);
    if (text === last) return leaves;
    last = text;
  }
}

function run(model, { cpus, sockets, cores, threads }) {
  const smp = `${cpus},sockets=${sockets},cores=${cores},threads=${threads}`;
  const machine = ["-M", "pc", "-accel", "tcg", "-cpu", model, "-smp", smp, "-m", "128"];
  const ends = ["-display", "none", "-nodefaults", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4"];
  const argv = [...machine, ...ends, "-kernel", GUEST, "-append", "serial debug-exit"];
  let output;
  try {
    output = execFileSync("qemu-system-x86_64", argv, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch (error) {
    // isa-debug-exit ends QEMU with an odd code.
    if (error.status !== 1) throw error;
    output = error.stdout;
  }
  return output
    .split("\n")
    .filter((line) => line.startsWith("cpu "))
    .map((line) => line.split(" ").slice(1))
    .map(([vcpu, ...rest]) => [Number(vcpu), ...rest.map((text) => parseInt(text, 16))]);
}

const version = execFileSync("qemu-system-x86_64", ["--version"], { encoding: "utf8" }).split("\n")[0];
const machines = MODELS.flatMap((model) => SMP.map((smp) => ({ model, ...smp, leaves: cpuid(model, smp) })));
writeFileSync(
  RESULT,
  `${JSON.stringify({ comment: "vcpu, leaf, index, eax, ebx, ecx, edx", version, machines }, undefined, 1)
    .replaceAll(/\[\s+(-?\d+),/g, "[$1,")
    .replaceAll(/,\s+(\d+)(?=[,\s])/g, ", $1")
    .replaceAll(/(\d)\s+\]/g, "$1]")}\n`,
);
