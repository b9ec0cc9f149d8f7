/** Every source file that has code at run time has a spec of its own, or a reason why another spec is the place. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { COMPILED, PROJECT } from "./support/project.js";
import { sourceFiles } from "./support/sources.js";

const ROOMS = /^(actors|cli|devices|shared|stress|xen)\//;

/** Covered elsewhere: the file (or all below a folder), by which spec, and why there. */
const ELSEWHERE: readonly (readonly [path: string, spec: string, reason: string])[] = [
  // The shell of threads: seen as a machine's behaviour, with guests in it.
  ["actors/actor-loop.ts", "spec/actors/machine.kvm.spec.ts", "a loop around a poller, which has a spec"],
  ["actors/cpu-feature-names.ts", "spec/actors/cpu-features.spec.ts", "names, looked up by it"],
  ["actors/device-role.ts", "spec/actors/machine.kvm.spec.ts", "an entry point"],
  ["actors/device-thread.ts", "spec/actors/machine.kvm.spec.ts", "ties devices, streams and xenstore together"],
  [
    "actors/disk-control.ts",
    "spec/guests/selftest.kvm.spec.ts",
    "ties xen-disk to its thread: the guest's disk checks",
  ],
  ["actors/io-link.ts", "spec/guests/selftest.kvm.spec.ts", "messages between two actors"],
  ["actors/net-role.ts", "spec/actors/nets.kvm.spec.ts", "an entry point"],
  ["actors/user-networks.ts", "spec/actors/nets.kvm.spec.ts", "starts passt, which has a spec, and ends it"],
  ["actors/virtio-nets.ts", "spec/actors/nets.kvm.spec.ts", "ties cards to the board"],
  ["actors/disk-planes.ts", "spec/guests/selftest.kvm.spec.ts", "builds planes that have specs"],
  ["actors/disk-role.ts", "spec/guests/selftest.kvm.spec.ts", "an entry point"],
  ["actors/guest-loader.ts", "spec/actors/leftovers.kvm.spec.ts", "ties the loaders, which have specs, to files"],
  ["actors/ide-drives.ts", "spec/actors/unplug.spec.ts", "drives by place, taken out by mask"],
  ["actors/host-resources.ts", "spec/actors/leftovers.kvm.spec.ts", "what it takes is seen by what is left"],
  ["actors/io-actors.ts", "spec/actors/machine.kvm.spec.ts", "starts threads, and ends them"],
  ["actors/machine-control.ts", "spec/actors/machine.kvm.spec.ts", "builds parts that have specs"],
  ["actors/ringing-endpoint.ts", "spec/actors/machine.kvm.spec.ts", "every call to the device actor goes by it"],
  ["actors/thread.ts", "spec/actors/machine.kvm.spec.ts", "builds parts that have specs"],
  ["actors/vcpu-actors.ts", "spec/actors/machine.kvm.spec.ts", "starts what machines run on"],
  ["actors/vcpu-role.ts", "spec/actors/machine.kvm.spec.ts", "an entry point"],
  [
    "actors/vcpu-msrs.ts",
    "spec/actors/next-kernel.kvm.spec.ts",
    "a guest that another one starts is all that it is for",
  ],
  ["actors/vcpu-thread.ts", "spec/actors/machine.kvm.spec.ts", "the loop around KVM_RUN"],
  ["actors/workers.ts", "spec/actors/failures.kvm.spec.ts", "seen by how machines end"],
  ["actors/worker-entry.ts", "spec/actors/machine.kvm.spec.ts", "how every thread begins"],
  ["actors/host/native-require.ts", "spec/actors/host/libc.spec.ts", "what loads the bindings"],
  ["actors/virtio-disks.ts", "spec/actors/board.spec.ts", "functions of the board"],
  ["actors/xen-side.ts", "spec/guests/selftest.kvm.spec.ts", "ties xenstore and PV devices to their rings"],
  ["actors/xen-control.ts", "spec/actors/suspend.kvm.spec.ts", "what a guest and its host do together"],
  ["actors/xen-vcpu-sync.ts", "spec/guests/selftest.kvm.spec.ts", "the guest's clock and vCPU checks"],
  ["actors/boot-state.ts", "spec/actors/host/kvm.kvm.spec.ts", "needs a vCPU"],
  ["actors/host/vcpu.ts", "spec/actors/host/kvm.kvm.spec.ts", "needs a VM around it"],
  ["actors/host/signals.ts", "spec/actors/machine.kvm.spec.ts", "kicks out of a spinning guest"],
  ["actors/machine-map.ts", "spec/actors/board.spec.ts", "checked against the board that it describes"],
  ["actors/host/eventfd.ts", "spec/actors/host/poller.spec.ts", "a doorbell is for a poller"],
  ["actors/host/fd-chardev.ts", "spec/actors/host/chardev.spec.ts", "every kind of character device"],
  ["actors/host/idle-wire.ts", "spec/actors/net-link.spec.ts", "does nothing"],
  ["actors/host/pty.ts", "spec/actors/host/chardev.spec.ts", "every kind of character device"],
  ["actors/host/socket-chardev.ts", "spec/actors/host/chardev.spec.ts", "every kind of character device"],
  ["actors/host/host-wire.ts", "spec/actors/host/stream-wire.spec.ts", "what the kinds of wires share"],
  ["actors/host/socket-messages.ts", "spec/actors/host/datagram-wire.spec.ts", "two system calls"],
  ["actors/host/host-inspection.ts", "spec/cli/doctor.spec.ts", "what the doctor tells"],
  ["actors/host/syscalls.ts", "spec/actors/host/libc.spec.ts", "names for libc's numbers"],
  ["actors/hypercall-msr.ts", "spec/actors/cpuid.spec.ts", "numbers, by what is shown"],
  ["actors/memory-slots.ts", "spec/actors/machine-memory.spec.ts", "numbers for its memory"],
  ["actors/dump/registers.ts", "spec/actors/dump/memory-dumper.kvm.spec.ts", "needs vCPUs"],
  // The launcher's parts, by its whole command lines.
  ["cli/first-thread.ts", "spec/guests/selftest.kvm.spec.ts", "the entry point: run as users do"],
  ["cli/main.ts", "spec/guests/selftest.kvm.spec.ts", "the entry point: run as users do"],
  ["cli/run.ts", "spec/cli/launch.spec.ts", "starts what launch.ts runs"],
  ["cli/monitor/media.ts", "spec/cli/monitor/commands.spec.ts", "the tables of commands"],
  ["cli/monitor/registers.ts", "spec/cli/monitor/commands.spec.ts", "the tables of commands"],
  ["cli/monitor/xen-events.ts", "spec/cli/monitor/commands.spec.ts", "the tables of commands"],
  ["cli/options/chardevs.ts", "spec/cli/options/plan.spec.ts", "tables of whole command lines"],
  ["cli/options/devices.ts", "spec/cli/options/plan.spec.ts", "tables of whole command lines"],
  ["cli/options/drives.ts", "spec/cli/options/disks.spec.ts", "tables of whole command lines"],
  ["cli/options/machine.ts", "spec/cli/options/plan.spec.ts", "tables of whole command lines"],
  ["cli/options/pci.ts", "spec/cli/options/nets.spec.ts", "tables of whole command lines"],
  ["cli/options/table.ts", "spec/cli/help.spec.ts", "the help is made from it"],
  // Data, and parts that only make sense in their whole.
  ["devices/boot/boot-data.ts", "spec/devices/boot/low-memory.spec.ts", "where loaders put what they make"],
  ["devices/ide/atapi/big-endian.ts", "spec/devices/ide/atapi/toc.spec.ts", "every answer is made with it"],
  ["devices/ide/atapi/commands.ts", "spec/devices/ide/atapi/cdrom.spec.ts", "packets in, answers out"],
  ["devices/ide/atapi/drive-state.ts", "spec/devices/ide/atapi/cdrom.spec.ts", "the drive's memory"],
  ["devices/ide/atapi/drive-view.ts", "spec/devices/ide/atapi/configuration.spec.ts", "kinds of media have profiles"],
  ["devices/ide/atapi/sense.ts", "spec/devices/ide/atapi/cdrom.spec.ts", "every refusal is told by it"],
  ["devices/net/wire.ts", "spec/actors/host/stream-wire.spec.ts", "what a wire is, and the bounds of a frame"],
  ["devices/ide/ata.ts", "spec/devices/ide/ide-channel.spec.ts", "numbers of the register interface"],
  ["devices/ide/bus-master.ts", "spec/devices/ide/ide-executor.spec.ts", "started, and looked at, by transfers"],
  ["devices/ide/command-block.ts", "spec/devices/ide/ide-channel.spec.ts", "the channel, as the guest sees it"],
  ["devices/ide/commands.ts", "spec/devices/ide/disk-commands.spec.ts", "codes in, answers out"],
  ["devices/ide/drive-answers.ts", "spec/devices/ide/disk-commands.spec.ts", "how each command ends"],
  ["devices/ide/drive-selection.ts", "spec/devices/ide/ide-channel.spec.ts", "two drives on one channel"],
  ["devices/ide/drive-registers.ts", "spec/devices/ide/disk-commands.spec.ts", "addresses go in and come out by it"],
  ["devices/ide/geometry.ts", "spec/devices/ide/disk-commands.spec.ts", "sectors by cylinder and head"],
  ["devices/ide/job.ts", "spec/devices/ide/ide-executor.spec.ts", "between channel and executor"],
  ["devices/ide/prd-table.ts", "spec/devices/ide/ide-executor.spec.ts", "tables in, data moved"],
  ["devices/ide/smart.ts", "spec/devices/ide/disk-commands.spec.ts", "read by its command"],
  ["devices/ide/storage-request.ts", "spec/devices/ide/ide-executor.spec.ts", "tables in, calls to the storage out"],
  ["devices/ide/trim-range.ts", "spec/devices/ide/disk-commands.spec.ts", "read from what DATA SET MANAGEMENT gives"],
  ["devices/block-backend.ts", "spec/devices/xen-disk/blkif-backend.spec.ts", "numbers of operations"],
  ["shared/config/boot.ts", "spec/shared/config.spec.ts", "a part of the configuration"],
  ["shared/config/config-error.ts", "spec/shared/config.spec.ts", "every refusal is made by it"],
  ["shared/config/devices.ts", "spec/shared/config/nets.spec.ts", "shares the slots of the PCI bus with nets"],
  ["shared/config/fields.ts", "spec/shared/config.spec.ts", "the schema is seen by what it accepts"],
  ["shared/config/ids.ts", "spec/shared/config/nets.spec.ts", "adapters are named by it"],
  ["shared/config/pci-slots.ts", "spec/shared/config/nets.spec.ts", "adapters are given slots by it"],
  ["shared/config/vcpus.ts", "spec/shared/config.spec.ts", "a table of topologies"],
  ["devices/virtio/block-abi.ts", "spec/devices/virtio/virtio-block.spec.ts", "offsets and numbers"],
  ["devices/virtio/block-request.ts", "spec/devices/virtio/block-plane.spec.ts", "requests in, status out"],
  ["devices/virtio/net/net-abi.ts", "spec/devices/virtio/net/virtio-net.spec.ts", "numbers"],
  ["devices/virtio/net/receive-buffers.ts", "spec/devices/virtio/net/net-plane.spec.ts", "holds what is received"],
  ["devices/virtio/queue-state.ts", "spec/devices/virtio/virtio-state.spec.ts", "a queue's words"],
  ["devices/virtio/virtio-abi.ts", "spec/devices/virtio/virtio-state.spec.ts", "numbers"],
  ["cli/options/offloads.ts", "spec/cli/options/plan.spec.ts", "command line in, configuration out"],
  ["shared/config/offloads.ts", "spec/shared/config.spec.ts", "the schema is seen by what it accepts"],
  ["shared/config/schema.ts", "spec/shared/config.spec.ts", "the schema is seen by what it accepts"],
  ["xen/abi", "spec/abi/offsets.spec.ts", "layouts and numbers against the real headers"],
  ["xen/domain-config.ts", "spec/xen/hypercalls/memory-op.spec.ts", "sizes of the domain's parts"],
  ["xen/domain.ts", "spec/xen/hypercalls/hvm-op.spec.ts", "HVM parameters and mode of the domain"],
  ["xen/grant-entries.ts", "spec/xen/grant-version-2.spec.ts", "entries of both versions, as the table uses them"],
  ["xen/hypercalls/grant-copy.ts", "spec/xen/grant-version-2.spec.ts", "hypercalls in, bytes out"],
  ["xen/evtchn-routes.ts", "spec/xen/event-channels.spec.ts", "what KVM is told of each port"],
  ["xen/fifo-control.ts", "spec/xen/fifo-events.spec.ts", "hypercalls in, events out"],
  ["xen/two-level-events.ts", "spec/xen/event-delivery.spec.ts", "the bitmaps, both layouts"],
  ["xen/host.ts", "spec/actors/xen-host.spec.ts", "what a thread answers to it"],
  ["xen/hypercalls/call.ts", "spec/xen/hypercalls/dispatch.spec.ts", "one call, as the table dispatches it"],
  ["xen/hypercalls/event-channel-op.ts", "spec/xen/event-channels.spec.ts", "hypercalls in, answers out"],
  ["xen/hypercalls/grant-table-op.ts", "spec/xen/grant-table.spec.ts", "hypercalls in, answers out"],
  ["xen/hypercalls/memory-call.ts", "spec/xen/hypercalls/memory-op.spec.ts", "what memory_op's calls share"],
  ["xen/hypercalls/memory-rest.ts", "spec/xen/hypercalls/tables/memory-rest.ts", "refusals, row by row"],
  ["xen/hypercalls/physmap-op.ts", "spec/xen/hypercalls/memory-op.spec.ts", "sub-operations of memory_op"],
  ["xen/hypercalls/reservation-op.ts", "spec/xen/hypercalls/memory-op.spec.ts", "sub-operations of memory_op"],
  ["xen/hypercalls/hvm-params.ts", "spec/xen/hypercalls/hvm-op.spec.ts", "sub-operations of hvm_op"],
  ["xen/hypercalls/vcpu-areas.ts", "spec/xen/hypercalls/vcpu-op.spec.ts", "sub-operations of vcpu_op"],
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
