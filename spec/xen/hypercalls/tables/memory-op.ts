/** memory_op. [MEMORY] xen.git xen/include/public/memory.h */
import * as abi from "../../../../xen/abi/memory.js";
import { EACCES, EDOM, EFAULT, EILSEQ, EINVAL, ENOENT, ENOSYS, EOPNOTSUPP, EOVERFLOW, EPERM, ESRCH } from "./errno.js";
import { BACKEND, SELF, STRANGER } from "./errno.js";
import { Family } from "./family.js";
import type { Operation } from "./family.js";
import type { Call, Fields, Memory, OperationTable } from "./row.js";
import { from, memoryRestTables } from "./memory-rest.js";
import { at, atLeast, frameOf } from "./value.js";
import type { Expected, Given, Place } from "./value.js";

const family = new Family({ name: "memory_op", number: 12, source: "memory-op.ts", pointer: 1 });

const op = {
  increase: family.operation({ number: 0, name: "XENMEM_increase_reservation" }, "in", abi.memoryReservation, {
    fault: 0,
  }),
  decrease: family.operation({ number: 1, name: "XENMEM_decrease_reservation" }, "in", abi.memoryReservation, {
    fault: 0,
  }),
  maximumRamPage: family.bare(2, "XENMEM_maximum_ram_page"),
  currentReservation: family.operation({ number: 3, name: "XENMEM_current_reservation" }, "in", abi.memoryDomain),
  maximumReservation: family.operation({ number: 4, name: "XENMEM_maximum_reservation" }, "in", abi.memoryDomain),
  populate: family.operation({ number: 6, name: "XENMEM_populate_physmap" }, "in", abi.memoryReservation, { fault: 0 }),
  addToPhysmap: family.operation({ number: 7, name: "XENMEM_add_to_physmap" }, "in", abi.addToPhysmap),
  memoryMap: family.operation({ number: 9, name: "XENMEM_memory_map" }, "inout", abi.memoryMap),
  machineMemoryMap: family.bare(10, "XENMEM_machine_memory_map"),
  exchange: family.bare(11, "XENMEM_exchange"),
  setMemoryMap: family.operation({ number: 13, name: "XENMEM_set_memory_map" }, "in", abi.foreignMemoryMap),
  maximumGpfn: family.operation({ number: 14, name: "XENMEM_maximum_gpfn" }, "in", abi.memoryDomain),
  remove: family.operation({ number: 15, name: "XENMEM_remove_from_physmap" }, "in", abi.removeFromPhysmap),
  batch: family.operation({ number: 23, name: "XENMEM_add_to_physmap_batch" }, "in", abi.addToPhysmapBatch),
};

/** XENMAPSPACE_*. */
const SHARED_INFO = 0;
const GRANT_TABLE = 1;
const GMFN = 2;
const GMFN_RANGE = 3;
const GMFN_FOREIGN = 4;
const DEV_MMIO = 5;
const NO_SPACE = 77;
/** XENMAPIDX_grant_table_status. */
const STATUS_FRAME = 0x8000_0000;
/** More frames than a grant table may have. */
const NO_GRANT_FRAME = 1 << 20;
/** No frame of ours: RAM and chips end below. */
const PAST_ALL = 0x3fff_ffff;
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
/** A frame of RAM where no machine has any: the local APICs'. */
const NO_RAM = 0xfee00;

const one = (frame: Given): readonly Memory[] => [{ at: at("data"), width: "ulong", values: [frame] }];
const extents = { extentStart: at("data"), nrExtents: 1, extentOrder: 0, memFlags: 0, domid: SELF };
const release: Call = op.decrease.call(extents, 1, { memory: one(frameOf("spare")) });
const takeBack: Call = op.populate.call(extents, 1, { memory: one(frameOf("spare")) });
const removeSpare: Call = op.remove.call({ domid: SELF, gpfn: frameOf("spare") });
const mapSpare: Call = op.addToPhysmap.call({ domid: SELF, space: GRANT_TABLE, idx: 0, gpfn: frameOf("spare") });

const move = (source: Place, target: Place): Fields => ({
  domid: SELF,
  space: GMFN,
  idx: frameOf(source),
  gpfn: frameOf(target),
});

const takeBackOther: Call = op.populate.call(extents, 1, { memory: one(frameOf("other spare")) });

/** The guard behind it with it. */
const GOES = "the memory that it looks at goes";
const MOVES_OURS = "its own shared_info would go";

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
  op.decrease.table("gives RAM frames to the host; how many extents", [
    op.decrease.row("gives a frame away", extents, 1, { memory: one(frameOf("spare")), last: [takeBack] }),
    op.decrease.row("gives no frame away twice", extents, 0, {
      first: [release],
      memory: one(frameOf("spare")),
      last: [takeBack],
    }),
    op.decrease.row("keeps a frame that a page of Xen's lies over", extents, 0, {
      first: [mapSpare],
      memory: one(frameOf("spare")),
      last: [removeSpare],
    }),
    ...badExtents(op.decrease),
  ]),
  op.maximumRamPage.table("frames up to the last of RAM", [
    op.maximumRamPage.row("answers", {}, atLeast(1)),
    op.maximumRamPage.row("has nothing to go on with", {}, EINVAL, from(2, 1)),
  ]),
  query(op.currentReservation, "RAM frames that the guest holds", atLeast(1)),
  query(op.maximumReservation, "RAM frames that the guest may hold", atLeast(1)),
  op.populate.table("takes RAM frames back; how many extents", [
    op.populate.row("takes a frame back", extents, 1, {
      first: [release],
      memory: one(frameOf("spare")),
      ifRefused: [takeBack],
    }),
    op.populate.row("takes back the rest of a list", { ...extents, nrExtents: 2 }, 2, {
      first: [release],
      memory: [{ at: at("data"), width: "ulong", values: [PAST_ALL, frameOf("spare")] }],
      ...from(6, 1),
    }),
    op.populate.row("puts nothing there on demand", { ...extents, memFlags: POPULATE_ON_DEMAND }, 0, {
      first: [release],
      memory: one(frameOf("spare")),
      last: [takeBack],
    }),
    op.populate.row("takes no frame that the guest holds", extents, 0, { memory: one(frameOf("spare")) }),
    ...badExtents(op.populate),
  ]),
  op.addToPhysmap.table(
    "shows shared_info, a grant frame or a status frame at a guest frame; moves it, or frames of RAM",
    [
      op.addToPhysmap.row(
        "shows a grant frame",
        { domid: SELF, space: GRANT_TABLE, idx: 0, gpfn: frameOf("spare") },
        0,
        {
          last: [removeSpare],
        },
      ),
      op.addToPhysmap.row("shows shared_info", { domid: SELF, space: SHARED_INFO, idx: 0, gpfn: frameOf("spare") }, 0, {
        notInGuest: MOVES_OURS,
      }),
      op.addToPhysmap.row(
        "H9: moves shared_info over a grant frame",
        { domid: SELF, space: SHARED_INFO, idx: 0, gpfn: frameOf("spare") },
        0,
        { first: [mapSpare], notInGuest: MOVES_OURS },
      ),
      op.addToPhysmap.row(
        "H9: refuses shared_info of another index",
        { domid: SELF, space: SHARED_INFO, idx: 1, gpfn: frameOf("spare") },
        EINVAL,
      ),
      op.addToPhysmap.row(
        "refuses a grant frame past the last",
        { domid: SELF, space: GRANT_TABLE, idx: NO_GRANT_FRAME, gpfn: frameOf("spare") },
        EINVAL,
      ),
      op.addToPhysmap.row(
        "refuses a status frame in version 1",
        { domid: SELF, space: GRANT_TABLE, idx: STATUS_FRAME, gpfn: frameOf("spare") },
        EINVAL,
      ),
      op.addToPhysmap.row(
        "H9: refuses frame 2^32 times 1000",
        { domid: SELF, space: GRANT_TABLE, idx: 0, gpfn: 1000n << 32n },
        EINVAL,
        { mode: 64 },
      ),
      op.addToPhysmap.row("moves a frame of RAM", move("spare", "other spare"), 0, { last: [takeBack] }),
      op.addToPhysmap.row("takes along what a frame holds", move("spare", "other spare"), 0, {
        memory: [{ at: at("spare", 8), width: 8, values: [0x1234_5678_9abcn] }],
        left: [{ at: at("other spare", 8), width: 8, values: [0x1234_5678_9abcn] }],
        last: [takeBack],
        notInGuest: GOES,
      }),
      op.addToPhysmap.row("moves one to where none is held", move("other spare", "spare"), 0, {
        first: [release],
        last: [takeBackOther],
      }),
      op.addToPhysmap.row("leaves a frame where it is", move("spare", "spare"), 0, {
        memory: [{ at: at("spare", 8), width: 8, values: [9] }],
        left: [{ at: at("spare", 8), width: 8, values: [9] }],
      }),
      op.addToPhysmap.row("moves a grant frame by where it is", move("spare", "other spare"), 0, {
        first: [mapSpare],
        last: [op.remove.call({ domid: SELF, gpfn: frameOf("other spare") })],
      }),
      op.addToPhysmap.row("moves RAM over a grant frame, which goes away", move("other spare", "spare"), 0, {
        first: [mapSpare],
        last: [takeBackOther],
      }),
      op.addToPhysmap.row("refuses a frame that the guest does not hold", move("spare", "other spare"), EINVAL, {
        first: [release],
        last: [takeBack],
      }),
      op.addToPhysmap.row(
        "refuses a frame that is no RAM",
        { domid: SELF, space: GMFN, idx: NO_RAM, gpfn: frameOf("spare") },
        EINVAL,
      ),
      op.addToPhysmap.row(
        "does not put RAM where the machine has none",
        { domid: SELF, space: GMFN, idx: frameOf("spare"), gpfn: NO_RAM },
        EOPNOTSUPP,
      ),
      op.addToPhysmap.row(
        "moves a run of one frame",
        { ...move("spare", "other spare"), space: GMFN_RANGE, size: 1 },
        0,
        {
          last: [takeBack],
        },
      ),
      op.addToPhysmap.row("moves an empty run", { domid: SELF, space: GMFN_RANGE, size: 0, idx: 0, gpfn: 1 }, 0),
      op.addToPhysmap.row(
        "ends a run at its first error",
        { domid: SELF, space: GMFN_RANGE, size: 0xffff, idx: NO_RAM, gpfn: frameOf("spare") },
        EINVAL,
      ),
      op.addToPhysmap.row(
        "refuses a run past 2^64",
        { domid: SELF, space: GMFN_RANGE, size: 2, idx: -1, gpfn: 0 },
        EOVERFLOW,
        { mode: 64 },
      ),
      op.addToPhysmap.row(
        "refuses to go on behind a run's end",
        { domid: SELF, space: GMFN_RANGE, size: 2, idx: 0, gpfn: 0 },
        EILSEQ,
        from(7, 3),
      ),
      op.addToPhysmap.row(
        "refuses to go on where no run can be",
        { domid: SELF, space: GMFN_RANGE, size: 2, idx: 0, gpfn: 0 },
        EDOM,
        from(7, 0x1_0000),
      ),
      op.addToPhysmap.row(
        "H9: refuses another domain's frames",
        { domid: SELF, space: GMFN_FOREIGN, idx: 0, gpfn: 0 },
        ENOSYS,
      ),
      op.addToPhysmap.row("refuses a device's frames", { domid: SELF, space: DEV_MMIO, idx: 0, gpfn: 0 }, EACCES),
      op.addToPhysmap.row("H9: refuses space 77", { domid: SELF, space: NO_SPACE, idx: 0, gpfn: 0 }, EINVAL),
      op.addToPhysmap.row(
        "H9: refuses the back ends' domain",
        { domid: BACKEND, space: SHARED_INFO, idx: 0, gpfn: 0 },
        EACCES,
      ),
      op.addToPhysmap.row(
        "H9: refuses another domain",
        { domid: STRANGER, space: SHARED_INFO, idx: 0, gpfn: 0 },
        ESRCH,
      ),
    ],
  ),
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
  op.remove.table("takes a page of Xen's away, or gives a RAM frame to the host", [
    op.remove.row("gives a RAM frame away", { domid: SELF, gpfn: frameOf("spare") }, 0, { last: [takeBack] }),
    op.remove.row("takes a grant frame away", { domid: SELF, gpfn: frameOf("spare") }, 0, {
      first: [mapSpare],
    }),
    op.remove.row("takes shared_info away", { domid: SELF, gpfn: frameOf("spare") }, 0, {
      first: [op.addToPhysmap.call({ domid: SELF, space: SHARED_INFO, idx: 0, gpfn: frameOf("spare") })],
      notInGuest: MOVES_OURS,
    }),
    op.remove.row("refuses a frame that the guest does not hold", { domid: SELF, gpfn: frameOf("spare") }, ENOENT, {
      first: [release],
      last: [takeBack],
    }),
    op.remove.row("refuses a frame that is no RAM", { domid: SELF, gpfn: PAST_ALL }, ENOENT),
    op.remove.row("refuses the back ends' domain", { domid: BACKEND, gpfn: 0 }, EACCES),
    op.remove.row("refuses another domain", { domid: STRANGER, gpfn: 0 }, ESRCH),
    op.remove.row("has nothing to go on with", { domid: SELF, gpfn: 0 }, EINVAL, from(15, 1)),
  ]),
  op.batch.table("XENMEM_add_to_physmap for each of a list", [
    op.batch.row(
      "answers for each entry",
      { domid: SELF, space: GRANT_TABLE, size: 2, idxs: at("data"), gpfns: at("data", 64), errs: at("data", 128) },
      0,
      {
        memory: [
          { at: at("data"), width: "ulong", values: [NO_GRANT_FRAME, NO_GRANT_FRAME + 1] },
          { at: at("data", 64), width: "ulong", values: [frameOf("spare"), frameOf("other spare")] },
          { at: at("data", 128), width: 4, values: [77, 77] },
        ],
        left: [{ at: at("data", 128), width: 4, values: [EINVAL, EINVAL] }],
      },
    ),
    op.batch.row(
      "shows grant frames",
      { domid: SELF, space: GRANT_TABLE, size: 2, idxs: at("data"), gpfns: at("data", 64), errs: at("data", 128) },
      0,
      {
        memory: [
          { at: at("data"), width: "ulong", values: [0, 1] },
          { at: at("data", 64), width: "ulong", values: [frameOf("spare"), frameOf("other spare")] },
          { at: at("data", 128), width: 4, values: [77, 77] },
        ],
        left: [{ at: at("data", 128), width: 4, values: [0, 0] }],
        last: [removeSpare, op.remove.call({ domid: SELF, gpfn: frameOf("other spare") })],
      },
    ),
    op.batch.row("does nothing with an empty list", { domid: SELF, space: GRANT_TABLE, size: 0 }, 0),
    op.batch.row(
      "H10: stops at errors that cannot be told, of 65535",
      { domid: SELF, space: GRANT_TABLE, size: 0xffff, idxs: at("data"), gpfns: at("data"), errs: at("hole") },
      EFAULT,
      { memory: one(NO_GRANT_FRAME) },
    ),
    op.batch.row(
      "H10: stops at an index that is not to be read",
      { domid: SELF, space: GRANT_TABLE, size: 0xffff, idxs: at("hole"), gpfns: at("data"), errs: at("data") },
      EFAULT,
    ),
    op.batch.row(
      "goes on with the second entry",
      { domid: SELF, space: GRANT_TABLE, size: 2, idxs: at("data"), gpfns: at("data", 64), errs: at("data", 128) },
      0,
      {
        memory: [
          { at: at("data"), width: "ulong", values: [NO_GRANT_FRAME, NO_GRANT_FRAME] },
          { at: at("data", 64), width: "ulong", values: [frameOf("spare"), frameOf("spare")] },
          { at: at("data", 128), width: 4, values: [77, 77] },
        ],
        left: [{ at: at("data", 128), width: 4, values: [77, EINVAL] }],
        ...from(23, 1),
      },
    ),
    op.batch.row(
      "moves frames of RAM",
      { domid: SELF, space: GMFN, size: 1, idxs: at("data"), gpfns: at("data", 64), errs: at("data", 128) },
      0,
      {
        memory: [
          { at: at("data"), width: "ulong", values: [frameOf("spare")] },
          { at: at("data", 64), width: "ulong", values: [frameOf("other spare")] },
          { at: at("data", 128), width: 4, values: [77] },
        ],
        left: [{ at: at("data", 128), width: 4, values: [0] }],
        last: [takeBack],
      },
    ),
    op.batch.row("refuses to go on at its end", { domid: SELF, space: GRANT_TABLE, size: 2 }, EILSEQ, from(23, 2)),
    op.batch.row(
      "refuses to go on where no list can be",
      { domid: SELF, space: GRANT_TABLE, size: 2 },
      EDOM,
      from(23, 0x1_0000),
    ),
    op.batch.row("refuses a device's frames", { domid: SELF, space: DEV_MMIO, size: 1 }, EACCES),
    op.batch.row("refuses ranges", { domid: SELF, space: GMFN_RANGE, size: 1 }, EOPNOTSUPP),
    op.batch.row(
      "refuses another domain's frames, each by its error",
      { domid: SELF, space: GMFN_FOREIGN, size: 1, idxs: at("data"), gpfns: at("data", 64), errs: at("data", 128) },
      0,
      { memory: one(NO_GRANT_FRAME), left: [{ at: at("data", 128), width: 4, values: [EPERM] }] },
    ),
    op.batch.row("refuses another domain", { domid: STRANGER, space: GRANT_TABLE, size: 1 }, ESRCH),
  ]),
  ...memoryRestTables,
]);
