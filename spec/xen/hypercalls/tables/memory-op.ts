/** memory_op. [MEMORY] xen.git xen/include/public/memory.h */
import * as abi from "../../../../xen/abi/memory.js";
import { BACKEND, EFAULT, EINVAL, ENOSYS, EOPNOTSUPP, EPERM, ESRCH, SELF, STRANGER } from "./errno.js";
import { Family } from "./family.js";
import type { Operation } from "./family.js";
import { decrease, extents, from, fromGap, GAP, mapSpare, moveToGap, one, PAST_ALL } from "./memory-calls.js";
import { populate, release, removeSpare, takeBack } from "./memory-calls.js";
import { memoryRestTables } from "./memory-rest.js";
import { physmapTables } from "./physmap-op.js";
import type { OperationTable } from "./row.js";
import { at, atLeast, frameOf } from "./value.js";
import type { Expected } from "./value.js";

const family = new Family({ name: "memory_op", number: 12, source: "memory-op.ts", pointer: 1 });

const op = {
  increase: family.operation({ number: 0, name: "XENMEM_increase_reservation" }, "in", abi.memoryReservation, {
    fault: 0,
  }),
  maximumRamPage: family.bare(2, "XENMEM_maximum_ram_page"),
  currentReservation: family.operation({ number: 3, name: "XENMEM_current_reservation" }, "in", abi.memoryDomain),
  maximumReservation: family.operation({ number: 4, name: "XENMEM_maximum_reservation" }, "in", abi.memoryDomain),
  memoryMap: family.operation({ number: 9, name: "XENMEM_memory_map" }, "inout", abi.memoryMap),
  machineMemoryMap: family.bare(10, "XENMEM_machine_memory_map"),
  exchange: family.bare(11, "XENMEM_exchange"),
  setMemoryMap: family.operation({ number: 13, name: "XENMEM_set_memory_map" }, "in", abi.foreignMemoryMap),
  maximumGpfn: family.operation({ number: 14, name: "XENMEM_maximum_gpfn" }, "in", abi.memoryDomain),
};

/** E820 entries that there is room for, of 20 bytes. */
const ENTRIES = 32;
const ENTRY_BYTES = 20;
/** E820's RAM. */
const E820_RAM = 1;
/** Most entries of a memory map. */
const MOST_ENTRIES = 1024;
/** XENMEMF_*. */
const POPULATE_ON_DEMAND = 1 << 16;
const EXACT_NODE_0 = (1 << 17) | (1 << 8);
/** The greatest count of extents that a command can tell of, and one more. */
const MANY_EXTENTS = 0x3ff_ffff;

/** A question about the caller's domain. */
function query(operation: Operation, does: string, answer: Expected): OperationTable {
  return operation.table(does, [
    operation.row("answers", { domid: SELF }, answer),
    operation.row("refuses another domain", { domid: STRANGER }, ESRCH),
    operation.row("refuses the back ends' domain", { domid: BACKEND }, EPERM),
    operation.row("has nothing to go on with", { domid: SELF }, EINVAL, from(operation.number, 1)),
  ]);
}

/** H11 and other mistakes of decrease_reservation and populate_physmap. */
function badExtents(operation: Operation): readonly ReturnType<Operation["row"]>[] {
  const memory = one(frameOf("spare"));
  return [
    ...[10, 31, 255].map((extentOrder) =>
      operation.row(`H11: does nothing with extents of order ${extentOrder}`, { ...extents, extentOrder }, 0, {
        memory,
      }),
    ),
    ...[
      ["of a mere page's bits", 12],
      ["of one bit", 1],
      ["from a node of the host's", EXACT_NODE_0],
    ].map(([what, memFlags]) =>
      operation.row(`does nothing for memory ${what}`, { ...extents, memFlags: Number(memFlags) }, 0, { memory }),
    ),
    operation.row("goes on behind the last extent, and answers how many were done", extents, 1, {
      memory,
      ...from(operation.number, 1),
    }),
    operation.row("answers what it was told was done, when nothing can be", extents, 77, {
      memory,
      ...from(operation.number, 77),
    }),
    operation.row(
      "goes on in the middle of a list, and stops where it cannot be read",
      { ...extents, extentStart: at("hole"), nrExtents: 9 },
      5,
      from(operation.number, 5),
    ),
    operation.row("does nothing with more extents than can be told", { ...extents, nrExtents: MANY_EXTENTS + 1 }, 3, {
      memory,
      ...from(operation.number, 3),
    }),
    operation.row("answers the same for a pointer to nowhere", extents, 5, {
      place: at("hole"),
      memory,
      ...from(operation.number, 5),
    }),
    operation.row("H11: stops at once where the list is not to be read", { ...extents, extentStart: at("hole") }, 0),
    operation.row(
      "H11: stops where the list ends, of 2^26-1 extents",
      { ...extents, extentStart: at("cliff", -8), nrExtents: MANY_EXTENTS },
      0,
      { memory: [{ at: at("cliff", -8), width: 8, values: [PAST_ALL] }] },
    ),
    operation.row("H11: does nothing with 2^31 extents", { ...extents, nrExtents: 0x8000_0000 }, 0, { memory }),
    operation.row("does nothing with no extents", { ...extents, nrExtents: 0 }, 0, { memory }),
    operation.row("does nothing with a frame that is no RAM", extents, 0, { memory: one(PAST_ALL) }),
    operation.row("does nothing for another domain", { ...extents, domid: STRANGER }, 0, { memory }),
  ];
}

export const memoryOpTable = family.table([
  op.increase.table("nothing: frames without an address are of no use to an HVM guest", [
    op.increase.row("gives none", extents, 0),
    op.increase.row("gives none, beyond those that it was told of", extents, 4, from(0, 4)),
    op.increase.row("gives none to another domain", { ...extents, domid: STRANGER }, 0),
  ]),
  decrease.table("gives RAM frames to the host; how many extents", [
    decrease.row("gives a frame away", extents, 1, { memory: one(frameOf("spare")), last: [takeBack] }),
    decrease.row("gives no frame away twice", extents, 0, {
      first: [release],
      memory: one(frameOf("spare")),
      last: [takeBack],
    }),
    decrease.row("keeps a frame that a page of Xen's lies over", extents, 0, {
      first: [mapSpare],
      memory: one(frameOf("spare")),
      last: [removeSpare],
    }),
    decrease.row("gives away one that is where the machine has none", extents, 1, {
      first: [moveToGap],
      memory: one(GAP),
      last: [takeBack],
    }),
    ...badExtents(decrease),
  ]),
  op.maximumRamPage.table("frames up to the last of RAM", [
    op.maximumRamPage.row("answers", {}, atLeast(1)),
    op.maximumRamPage.row("has nothing to go on with", {}, EINVAL, from(2, 1)),
  ]),
  query(op.currentReservation, "RAM frames that the guest holds", atLeast(1)),
  query(op.maximumReservation, "RAM frames that the guest may hold", atLeast(1)),
  populate.table("takes RAM frames back, and puts up to 32 where the machine has none; how many extents", [
    populate.row("takes a frame back", extents, 1, {
      first: [release],
      memory: one(frameOf("spare")),
      ifRefused: [takeBack],
    }),
    populate.row("takes back the rest of a list", { ...extents, nrExtents: 2 }, 2, {
      first: [release],
      memory: [{ at: at("data"), width: "ulong", values: [PAST_ALL, frameOf("spare")] }],
      ...from(6, 1),
    }),
    populate.row("puts nothing there on demand", { ...extents, memFlags: POPULATE_ON_DEMAND }, 0, {
      first: [release],
      memory: one(frameOf("spare")),
      last: [takeBack],
    }),
    populate.row("puts a frame where the machine has none", extents, 1, {
      first: [release],
      memory: one(GAP),
      last: [fromGap("spare")],
    }),
    populate.row("puts no more than the guest may hold", extents, 0, { memory: one(GAP) }),
    populate.row("puts none where one is", extents, 0, {
      first: [moveToGap],
      memory: one(GAP),
      last: [fromGap("spare")],
    }),
    populate.row("takes no frame that the guest holds", extents, 0, { memory: one(frameOf("spare")) }),
    ...badExtents(populate),
  ]),
  op.memoryMap.table("the machine's E820 map", [
    op.memoryMap.row("tells it, RAM from 0 first", { nrEntries: ENTRIES, buffer: at("data") }, 0, {
      memory: [{ at: at("data"), width: 4, values: new Array<number>((ENTRIES * ENTRY_BYTES) / 4).fill(0) }],
      after: { nrEntries: atLeast(1) },
      left: [
        { at: at("data"), width: 8, values: [0] },
        { at: at("data", 16), width: 4, values: [E820_RAM] },
      ],
    }),
    op.memoryMap.row("tells what there is room for: the first", { nrEntries: 1, buffer: at("data") }, 0, {
      memory: [{ at: at("data"), width: 4, values: [1, 1, 1, 1, 77] }],
      after: { nrEntries: 1 },
      left: [{ at: at("data", 16), width: 4, values: [E820_RAM] }],
    }),
    op.memoryMap.row("tells nothing where there is no room", { nrEntries: 0, buffer: at("hole") }, 0, {
      after: { nrEntries: 0 },
    }),
    op.memoryMap.row("has nothing to go on with", { nrEntries: 1, buffer: at("data") }, ENOSYS, from(9, 1)),
    op.memoryMap.row("H3: refuses a buffer that is not there", { nrEntries: ENTRIES, buffer: at("hole") }, EFAULT),
    op.memoryMap.row("H3: refuses a buffer that is read-only", { nrEntries: ENTRIES, buffer: at("read-only") }, EFAULT),
  ]),
  op.machineMemoryMap.table("refused: of the host", [
    op.machineMemoryMap.row("refuses", {}, EPERM, { args: { 1: at("argument") } }),
  ]),
  op.exchange.table("refused", [op.exchange.row("refuses", {}, EOPNOTSUPP, { args: { 1: at("argument") } })]),
  op.setMemoryMap.table("takes another map for XENMEM_memory_map to tell; of 1024 entries at most", [
    op.setMemoryMap.row("takes one", { domid: SELF, nrEntries: 1, buffer: at("data") }, 0, {
      memory: [{ at: at("data"), width: 4, values: [0x1000, 1, 0x2000, 0, 2] }],
      last: [
        op.memoryMap.call({ nrEntries: ENTRIES, buffer: at("data") }, 0, {
          memory: [{ at: at("data"), width: 4, values: [9, 9, 9, 9, 9] }],
          after: { nrEntries: 1 },
          left: [{ at: at("data"), width: 4, values: [0x1000, 1, 0x2000, 0, 2] }],
        }),
      ],
      notInGuest: "it could not set what was there",
    }),
    op.setMemoryMap.row("takes an empty one, which is not told", { domid: SELF, nrEntries: 0, buffer: at("data") }, 0, {
      last: [op.memoryMap.call({ nrEntries: ENTRIES, buffer: at("data") }, ENOSYS)],
      notInGuest: "it could not set what was there",
    }),
    op.setMemoryMap.row(
      "refuses 1025 entries",
      { domid: SELF, nrEntries: MOST_ENTRIES + 1, buffer: at("data") },
      EINVAL,
    ),
    op.setMemoryMap.row("refuses 2^32-1 entries", { domid: SELF, nrEntries: 0xffff_ffff, buffer: at("data") }, EINVAL),
    op.setMemoryMap.row(
      "H3: refuses entries that are not there",
      { domid: SELF, nrEntries: 1, buffer: at("hole") },
      EFAULT,
    ),
    op.setMemoryMap.row("refuses another domain", { domid: STRANGER, nrEntries: 1, buffer: at("data") }, ESRCH),
    op.setMemoryMap.row(
      "has nothing to go on with",
      { domid: SELF, nrEntries: 1, buffer: at("data") },
      ENOSYS,
      from(13, 1),
    ),
  ]),
  query(op.maximumGpfn, "the last frame of RAM", atLeast(1)),
  ...physmapTables,
  ...memoryRestTables,
]);
