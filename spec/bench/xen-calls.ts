/**
 * hypercall, evtchn-ipi: round trips of a Xen guest, in nanoseconds, as guests/bench/main.c times them.
 *
 * QEMU leaves both to KVM's Xen support, which a local KVM need not have: there is no peer here.
 */
import { compare, type LocalBenchmark } from "./benchmark.js";
import { guestTscHertz } from "./host-tsc.js";
import { nanosecondsOf } from "./guest-report.js";
import { type Binding, bindings, requireGuest, WITH_XEN, xenolith } from "./monitors.js";
import { run } from "./process.js";

function xenBenchmark(name: string, iterations: number, vcpus: number): LocalBenchmark {
  return {
    name,
    async run({ rounds }) {
      guestTscHertz(); // says what is wrong with the host's KVM, before there is a guest
      const kernel = requireGuest("bench.elf");
      const timed = (binding: Binding) => async (): Promise<number> => {
        const append = `${name} iterations=${iterations} serial`;
        const args = ["-smp", String(vcpus), "-serial", "stdio", "-kernel", kernel, "-append", append];
        const { stdout } = await run(xenolith(binding, WITH_XEN, args), 0);
        return nanosecondsOf(stdout, name);
      };
      const [binding, ...slower] = bindings();
      return compare(name, "ns", rounds, {
        ours: timed(binding),
        others: new Map(slower.map((other) => [other, timed(other)])),
      });
    },
  };
}

/** XENVER_version, which asks for nothing: the way there and back. */
export const hypercall = xenBenchmark("hypercall", 50_000, 1);

/** From a vCPU to another that is halted, and back. */
export const evtchnIpi = xenBenchmark("evtchn-ipi", 3000, 2);
