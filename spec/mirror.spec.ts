/** Every source file that has code at run time has a spec of its own, or a reason why another spec is the place. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { COMPILED, PROJECT } from "./support/project.js";
import { sourceFiles } from "./support/sources.js";

const ROOMS = /^(actors|cli|devices|shared|xen)\//;

/** Covered elsewhere: the file (or all below a folder), by which spec, and why there. */
const ELSEWHERE: readonly (readonly [path: string, spec: string, reason: string])[] = [
  // The shell of threads: seen as a machine's behaviour, with guests in it.
  ["actors/actor-loop.ts", "spec/actors/machine.kvm.spec.ts", "a loop around a poller, which has a spec"],
  ["actors/actor-worker.ts", "spec/actors/machine.kvm.spec.ts", "an entry point"],
  ["actors/device-role.ts", "spec/actors/machine.kvm.spec.ts", "an entry point"],
  ["actors/device-thread.ts", "spec/actors/machine.kvm.spec.ts", "ties devices, streams and xenstore together"],
  [
    "actors/disk-control.ts",
    "spec/actors/selftest.kvm.spec.ts",
    "ties xen-disk to its thread: the guest's disk checks",
  ],
  ["actors/disk-role.ts", "spec/actors/selftest.kvm.spec.ts", "an entry point"],
  ["actors/guest-loader.ts", "spec/actors/leftovers.kvm.spec.ts", "ties the loaders, which have specs, to files"],
  ["actors/host-resources.ts", "spec/actors/leftovers.kvm.spec.ts", "what it takes is seen by what is left"],
  ["actors/machine-control.ts", "spec/actors/machine.kvm.spec.ts", "builds parts that have specs"],
  ["actors/ringing-endpoint.ts", "spec/actors/machine.kvm.spec.ts", "every call to the device actor goes by it"],
  ["actors/thread.ts", "spec/actors/machine.kvm.spec.ts", "builds parts that have specs"],
  ["actors/vcpu-role.ts", "spec/actors/machine.kvm.spec.ts", "an entry point"],
  ["actors/vcpu-thread.ts", "spec/actors/machine.kvm.spec.ts", "the loop around KVM_RUN"],
  ["actors/workers.ts", "spec/actors/failures.kvm.spec.ts", "seen by how machines end"],
  ["actors/xen-vcpu-sync.ts", "spec/actors/selftest.kvm.spec.ts", "the guest's clock and vCPU checks"],
  ["actors/boot-state.ts", "spec/actors/host/kvm.kvm.spec.ts", "needs a vCPU"],
  ["actors/host/vcpu.ts", "spec/actors/host/kvm.kvm.spec.ts", "needs a VM around it"],
  ["actors/host/signals.ts", "spec/actors/machine.kvm.spec.ts", "kicks out of a spinning guest"],
  ["actors/machine-map.ts", "spec/actors/board.spec.ts", "checked against the board that it describes"],
  ["actors/host/eventfd.ts", "spec/actors/host/poller.spec.ts", "a doorbell is for a poller"],
  ["actors/host/fd-chardev.ts", "spec/actors/host/chardev.spec.ts", "every kind of character device"],
  ["actors/host/pty.ts", "spec/actors/host/chardev.spec.ts", "every kind of character device"],
  ["actors/host/socket-chardev.ts", "spec/actors/host/chardev.spec.ts", "every kind of character device"],
  ["actors/host/syscalls.ts", "spec/actors/host/libc.spec.ts", "names for libc's numbers"],
  ["actors/hypercall-msr.ts", "spec/actors/cpuid.spec.ts", "one number"],
  ["actors/memory-slots.ts", "spec/actors/machine-memory.spec.ts", "numbers for its memory"],
  ["actors/dump/registers.ts", "spec/actors/dump/memory-dumper.kvm.spec.ts", "needs vCPUs"],
  // The launcher's parts, by its whole command lines.
  ["cli/main.ts", "spec/actors/selftest.kvm.spec.ts", "the entry point: run as users do"],
  ["cli/run.ts", "spec/cli/launch.spec.ts", "starts what launch.ts runs"],
  ["cli/signals.ts", "spec/cli/launch.spec.ts", "a handler for each signal"],
  ["cli/package-root.ts", "spec/actors/selftest.kvm.spec.ts", "finds the guest of the self-test"],
  ["cli/options/chardevs.ts", "spec/cli/options/plan.spec.ts", "tables of whole command lines"],
  ["cli/options/devices.ts", "spec/cli/options/plan.spec.ts", "tables of whole command lines"],
  ["cli/options/disks.ts", "spec/cli/options/plan.spec.ts", "tables of whole command lines"],
  ["cli/options/machine.ts", "spec/cli/options/plan.spec.ts", "tables of whole command lines"],
  ["cli/options/table.ts", "spec/cli/help.spec.ts", "the help is made from it"],
  // Data, and parts that only make sense in their whole.
  ["devices/boot/boot-data.ts", "spec/devices/boot/low-memory.spec.ts", "where loaders put what they make"],
  ["devices/xen-disk/block-backend.ts", "spec/devices/xen-disk/blkif-backend.spec.ts", "numbers of operations"],
  ["shared/config/schema.ts", "spec/shared/config.spec.ts", "the schema is seen by what it accepts"],
  ["xen/abi", "spec/abi/offsets.spec.ts", "layouts and numbers against the real headers"],
  ["xen/domain-config.ts", "spec/xen/hypercalls/memory-op.spec.ts", "sizes of the domain's parts"],
  ["xen/domain.ts", "spec/xen/hypercalls/hvm-op.spec.ts", "HVM parameters and mode of the domain"],
  ["xen/host.ts", "spec/actors/xen-host.spec.ts", "what a thread answers to it"],
  ["xen/hypercalls/call.ts", "spec/xen/hypercalls/dispatch.spec.ts", "one call, as the table dispatches it"],
  ["xen/hypercalls/event-channel-op.ts", "spec/xen/event-channels.spec.ts", "hypercalls in, answers out"],
  ["xen/hypercalls/grant-table-op.ts", "spec/xen/grant-table.spec.ts", "hypercalls in, answers out"],
  ["xen/hypercalls/table.ts", "spec/xen/hypercalls/dispatch.spec.ts", "the table of what is there"],
  ["xen/overlays.ts", "spec/xen/hypercalls/memory-op.spec.ts", "pages are mapped by add_to_physmap"],
  ["xen/reservation.ts", "spec/xen/hypercalls/memory-op.spec.ts", "changed by memory_op only"],
  ["xen/pirq.ts", "spec/xen/hypercalls/physdev-op.spec.ts", "mapped by physdev_op only"],
  ["xen/port-list.ts", "spec/xen/event-channels.spec.ts", "free ports of the event channels"],
  ["xen/port-table.ts", "spec/xen/event-channels.spec.ts", "the ports of the event channels"],
  ["xen/time-area.ts", "spec/xen/hypercalls/vcpu-op.spec.ts", "registered by vcpu_op only"],
  ["xen/wallclock.ts", "spec/xen/hypercalls/memory-op.spec.ts", "written into shared_info when that is mapped"],
  ["xen/xen-domain.ts", "spec/xen/hypercalls/dispatch.spec.ts", "builds all the others"],
];

/** True when the compiler left code: types and interfaces alone leave an empty module. */
function hasCode(path: string): boolean {
  const compiled = join(COMPILED, path.replace(/\.ts$/, ".js"));
  if (!existsSync(compiled)) return false;
  const code = readFileSync(compiled, "utf8")
    .replace(/\/\*[^]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "");
  return code.replace(/export \{\};/g, "").trim() !== "";
}

/** spec/devices/x.spec.ts, x.kvm.spec.ts and x.boot.spec.ts, or specs in a folder spec/devices/x, for devices/x.ts. */
function hasSpec(path: string): boolean {
  const stem = join(PROJECT, "spec", path.replace(/\.ts$/, ""));
  if ([".spec.ts", ".kvm.spec.ts", ".boot.spec.ts"].some((ending) => existsSync(stem + ending))) return true;
  return existsSync(stem) && readdirSync(stem).some((name) => name.endsWith(".spec.ts"));
}

describe("Every source file with code", () => {
  const files = sourceFiles()
    .map(({ path }) => path)
    .filter((path) => ROOMS.test(path) && path.endsWith(".ts") && !path.endsWith(".d.ts"));
  const exempt = (path: string): boolean =>
    ELSEWHERE.some(([covered]) => path === covered || path.startsWith(`${covered}/`));

  it("has a spec that mirrors it, or a reason", () => {
    const bare = files.filter((path) => hasCode(path) && !hasSpec(path) && !exempt(path));
    assert.deepEqual(bare, []);
  });

  it("is covered by the spec that the reason names", () => {
    for (const [, spec] of ELSEWHERE) assert(existsSync(join(PROJECT, spec)), `${spec} is not there`);
  });

  it("has no reason that it does not need", () => {
    const idle = ELSEWHERE.filter(([path]) => !files.some((file) => file === path || file.startsWith(`${path}/`)));
    const needless = ELSEWHERE.filter(([path]) => files.includes(path) && hasSpec(path));
    assert.deepEqual([idle, needless], [[], []]);
  });
});
