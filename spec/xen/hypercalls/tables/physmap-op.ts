/** memory_op's part for what lies where. [MEMORY] xen.git xen/include/public/memory.h */
import * as abi from "../../../../xen/abi/memory.js";
import { BACKEND, EACCES, EDOM, EFAULT, EILSEQ, EINVAL, ENOENT, ENOSYS, EOPNOTSUPP, EOVERFLOW } from "./errno.js";
import { EPERM, ESRCH, SELF, STRANGER } from "./errno.js";
import { Family } from "./family.js";
import { addToPhysmap, extents, from, fromGap, GAP, GMFN, GRANT_TABLE, mapSpare, moveToGap } from "./memory-calls.js";
import { one, PAST_ALL, populate, release, remove, removeSpare, takeBack, toGap } from "./memory-calls.js";
import type { Call, Fields, OperationTable } from "./row.js";
import { at, frameOf } from "./value.js";
import type { Place } from "./value.js";

const family = new Family({ name: "memory_op", number: 12, source: "physmap-op.ts", pointer: 1 });

const batch = family.operation({ number: 23, name: "XENMEM_add_to_physmap_batch" }, "in", abi.addToPhysmapBatch);

/** XENMAPSPACE_*. */
const SHARED_INFO = 0;
const GMFN_RANGE = 3;
const GMFN_FOREIGN = 4;
const DEV_MMIO = 5;
const NO_SPACE = 77;
/** XENMAPIDX_grant_table_status. */
const STATUS_FRAME = 0x8000_0000;
/** More frames than a grant table may have. */
const NO_GRANT_FRAME = 1 << 20;
/** A frame of RAM where no machine has any: the local APICs'. */
const NO_RAM = 0xfee00;

const move = (source: Place, target: Place): Fields => ({
  domid: SELF,
  space: GMFN,
  idx: frameOf(source),
  gpfn: frameOf(target),
});

const removeGap: Call = remove.call({ domid: SELF, gpfn: GAP });
const takeBackOther: Call = populate.call(extents, 1, { memory: one(frameOf("other spare")) });

/** The guard behind it with it. */
const GOES = "the memory that it looks at goes";
const MOVES_OURS = "its own shared_info would go";

export const physmapTables: readonly OperationTable[] = [
  addToPhysmap.table(
    "shows shared_info, a grant frame or a status frame at a guest frame; moves it, or RAM, of which up to 1024 pages may be where the machine has none",
    [
      addToPhysmap.row("shows a grant frame", { domid: SELF, space: GRANT_TABLE, idx: 0, gpfn: frameOf("spare") }, 0, {
        last: [removeSpare],
      }),
      addToPhysmap.row("shows shared_info", { domid: SELF, space: SHARED_INFO, idx: 0, gpfn: frameOf("spare") }, 0, {
        notInGuest: MOVES_OURS,
      }),
      addToPhysmap.row(
        "H9: moves shared_info over a grant frame",
        { domid: SELF, space: SHARED_INFO, idx: 0, gpfn: frameOf("spare") },
        0,
        { first: [mapSpare], notInGuest: MOVES_OURS },
      ),
      addToPhysmap.row(
        "H9: refuses shared_info of another index",
        { domid: SELF, space: SHARED_INFO, idx: 1, gpfn: frameOf("spare") },
        EINVAL,
      ),
      addToPhysmap.row(
        "refuses a grant frame past the last",
        { domid: SELF, space: GRANT_TABLE, idx: NO_GRANT_FRAME, gpfn: frameOf("spare") },
        EINVAL,
      ),
      addToPhysmap.row(
        "refuses a status frame in version 1",
        { domid: SELF, space: GRANT_TABLE, idx: STATUS_FRAME, gpfn: frameOf("spare") },
        EINVAL,
      ),
      addToPhysmap.row(
        "H9: refuses frame 2^32 times 1000",
        { domid: SELF, space: GRANT_TABLE, idx: 0, gpfn: 1000n << 32n },
        EINVAL,
        { mode: 64 },
      ),
      addToPhysmap.row("moves a frame of RAM", move("spare", "other spare"), 0, { last: [takeBack] }),
      addToPhysmap.row("takes along what a frame holds", move("spare", "other spare"), 0, {
        memory: [{ at: at("spare", 8), width: 8, values: [0x1234_5678_9abcn] }],
        left: [{ at: at("other spare", 8), width: 8, values: [0x1234_5678_9abcn] }],
        last: [takeBack],
        notInGuest: GOES,
      }),
      addToPhysmap.row("moves one to where none is held", move("other spare", "spare"), 0, {
        first: [release],
        last: [takeBackOther],
      }),
      addToPhysmap.row("leaves a frame where it is", move("spare", "spare"), 0, {
        memory: [{ at: at("spare", 8), width: 8, values: [9] }],
        left: [{ at: at("spare", 8), width: 8, values: [9] }],
      }),
      addToPhysmap.row("moves a grant frame by where it is", move("spare", "other spare"), 0, {
        first: [mapSpare],
        last: [remove.call({ domid: SELF, gpfn: frameOf("other spare") })],
      }),
      addToPhysmap.row("moves RAM over a grant frame, which goes away", move("other spare", "spare"), 0, {
        first: [mapSpare],
        last: [takeBackOther],
      }),
      addToPhysmap.row("refuses a frame that the guest does not hold", move("spare", "other spare"), EINVAL, {
        first: [release],
        last: [takeBack],
      }),
      addToPhysmap.row(
        "refuses a frame that is no RAM",
        { domid: SELF, space: GMFN, idx: NO_RAM, gpfn: frameOf("spare") },
        EINVAL,
      ),
      addToPhysmap.row("moves RAM to where the machine has none", toGap, 0, { last: [fromGap("spare")] }),
      addToPhysmap.row("takes along what a frame holds, there and back", toGap, 0, {
        memory: [{ at: at("spare", 8), width: 8, values: [0x1234_5678_9abcn] }],
        last: [
          addToPhysmap.call({ domid: SELF, space: GMFN, idx: GAP, gpfn: frameOf("other spare") }, 0, {
            left: [{ at: at("other spare", 8), width: 8, values: [0x1234_5678_9abcn] }],
          }),
          takeBack,
        ],
        notInGuest: GOES,
      }),
      addToPhysmap.row("moves RAM that is where the machine has none", { ...toGap, idx: GAP, gpfn: GAP + 1 }, 0, {
        first: [moveToGap],
        last: [remove.call({ domid: SELF, gpfn: GAP + 1 }), takeBack],
      }),
      addToPhysmap.row("leaves nothing where RAM was", toGap, EINVAL, {
        first: [moveToGap],
        last: [fromGap("spare")],
      }),
      addToPhysmap.row(
        "shows a grant frame in its place, and the RAM is lost",
        { domid: SELF, space: GRANT_TABLE, idx: 0, gpfn: GAP },
        0,
        { first: [moveToGap], last: [removeGap, takeBack] },
      ),
      addToPhysmap.row("refuses a chip's frame, and leaves RAM where it is", { ...toGap, gpfn: NO_RAM }, EINVAL, {
        last: [release, takeBack],
      }),
      addToPhysmap.row("H9: refuses a frame beyond all, and leaves RAM where it is", { ...toGap, gpfn: -1 }, EINVAL, {
        mode: 64,
        last: [release, takeBack],
      }),
      addToPhysmap.row("moves a run of one frame", { ...move("spare", "other spare"), space: GMFN_RANGE, size: 1 }, 0, {
        last: [takeBack],
      }),
      addToPhysmap.row("moves an empty run", { domid: SELF, space: GMFN_RANGE, size: 0, idx: 0, gpfn: 1 }, 0),
      addToPhysmap.row(
        "ends a run at its first error",
        { domid: SELF, space: GMFN_RANGE, size: 0xffff, idx: NO_RAM, gpfn: frameOf("spare") },
        EINVAL,
      ),
      addToPhysmap.row(
        "refuses a run past 2^64",
        { domid: SELF, space: GMFN_RANGE, size: 2, idx: -1, gpfn: 0 },
        EOVERFLOW,
        { mode: 64 },
      ),
      addToPhysmap.row(
        "refuses to go on behind a run's end",
        { domid: SELF, space: GMFN_RANGE, size: 2, idx: 0, gpfn: 0 },
        EILSEQ,
        from(7, 3),
      ),
      addToPhysmap.row(
        "refuses to go on where no run can be",
        { domid: SELF, space: GMFN_RANGE, size: 2, idx: 0, gpfn: 0 },
        EDOM,
        from(7, 0x1_0000),
      ),
      addToPhysmap.row(
        "H9: refuses another domain's frames",
        { domid: SELF, space: GMFN_FOREIGN, idx: 0, gpfn: 0 },
        ENOSYS,
      ),
      addToPhysmap.row("refuses a device's frames", { domid: SELF, space: DEV_MMIO, idx: 0, gpfn: 0 }, EACCES),
      addToPhysmap.row("H9: refuses space 77", { domid: SELF, space: NO_SPACE, idx: 0, gpfn: 0 }, EINVAL),
      addToPhysmap.row(
        "H9: refuses the back ends' domain",
        { domid: BACKEND, space: SHARED_INFO, idx: 0, gpfn: 0 },
        EACCES,
      ),
      addToPhysmap.row("H9: refuses another domain", { domid: STRANGER, space: SHARED_INFO, idx: 0, gpfn: 0 }, ESRCH),
    ],
  ),
  remove.table("takes a page of Xen's away, or gives RAM to the host", [
    remove.row("gives a RAM frame away", { domid: SELF, gpfn: frameOf("spare") }, 0, { last: [takeBack] }),
    remove.row("gives RAM away that is where the machine has none", { domid: SELF, gpfn: GAP }, 0, {
      first: [moveToGap],
      last: [takeBack],
    }),
    remove.row("takes a grant frame away", { domid: SELF, gpfn: frameOf("spare") }, 0, {
      first: [mapSpare],
    }),
    remove.row("takes shared_info away", { domid: SELF, gpfn: frameOf("spare") }, 0, {
      first: [addToPhysmap.call({ domid: SELF, space: SHARED_INFO, idx: 0, gpfn: frameOf("spare") })],
      notInGuest: MOVES_OURS,
    }),
    remove.row("refuses a frame that the guest does not hold", { domid: SELF, gpfn: frameOf("spare") }, ENOENT, {
      first: [release],
      last: [takeBack],
    }),
    remove.row("refuses a frame that is no RAM", { domid: SELF, gpfn: PAST_ALL }, ENOENT),
    remove.row("refuses the back ends' domain", { domid: BACKEND, gpfn: 0 }, EACCES),
    remove.row("refuses another domain", { domid: STRANGER, gpfn: 0 }, ESRCH),
    remove.row("has nothing to go on with", { domid: SELF, gpfn: 0 }, EINVAL, from(15, 1)),
  ]),
  batch.table("XENMEM_add_to_physmap for each of a list", [
    batch.row(
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
    batch.row(
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
        last: [removeSpare, remove.call({ domid: SELF, gpfn: frameOf("other spare") })],
      },
    ),
    batch.row("does nothing with an empty list", { domid: SELF, space: GRANT_TABLE, size: 0 }, 0),
    batch.row(
      "H10: stops at errors that cannot be told, of 65535",
      { domid: SELF, space: GRANT_TABLE, size: 0xffff, idxs: at("data"), gpfns: at("data"), errs: at("hole") },
      EFAULT,
      { memory: one(NO_GRANT_FRAME) },
    ),
    batch.row(
      "H10: stops at an index that is not to be read",
      { domid: SELF, space: GRANT_TABLE, size: 0xffff, idxs: at("hole"), gpfns: at("data"), errs: at("data") },
      EFAULT,
    ),
    batch.row(
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
    batch.row(
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
    batch.row("refuses to go on at its end", { domid: SELF, space: GRANT_TABLE, size: 2 }, EILSEQ, from(23, 2)),
    batch.row(
      "refuses to go on where no list can be",
      { domid: SELF, space: GRANT_TABLE, size: 2 },
      EDOM,
      from(23, 0x1_0000),
    ),
    batch.row("refuses a device's frames", { domid: SELF, space: DEV_MMIO, size: 1 }, EACCES),
    batch.row("refuses ranges", { domid: SELF, space: GMFN_RANGE, size: 1 }, EOPNOTSUPP),
    batch.row(
      "refuses another domain's frames, each by its error",
      { domid: SELF, space: GMFN_FOREIGN, size: 1, idxs: at("data"), gpfns: at("data", 64), errs: at("data", 128) },
      0,
      { memory: one(NO_GRANT_FRAME), left: [{ at: at("data", 128), width: 4, values: [EPERM] }] },
    ),
    batch.row("refuses another domain", { domid: STRANGER, space: GRANT_TABLE, size: 1 }, ESRCH),
  ]),
];
