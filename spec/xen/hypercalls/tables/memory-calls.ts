/** Calls of memory_op that other rows need, to bring about what they are about and to undo it. */
import * as abi from "../../../../xen/abi/memory.js";
import { SELF } from "./errno.js";
import { Family } from "./family.js";
import type { Call, Fields, Memory } from "./row.js";
import { at, frameOf } from "./value.js";
import type { Given, Place } from "./value.js";

const family = new Family({ name: "memory_op", number: 12, source: "memory-op.ts", pointer: 1 });

export const decrease = family.operation(
  { number: 1, name: "XENMEM_decrease_reservation" },
  "in",
  abi.memoryReservation,
  { fault: 0 },
);
export const populate = family.operation({ number: 6, name: "XENMEM_populate_physmap" }, "in", abi.memoryReservation, {
  fault: 0,
});
export const addToPhysmap = family.operation({ number: 7, name: "XENMEM_add_to_physmap" }, "in", abi.addToPhysmap);
export const remove = family.operation({ number: 15, name: "XENMEM_remove_from_physmap" }, "in", abi.removeFromPhysmap);

/** XENMAPSPACE_*. */
export const GRANT_TABLE = 1;
export const GMFN = 2;
/** No frame of ours: RAM and chips end below. */
export const PAST_ALL = 0x3fff_ffff;
/** Where nothing is at all, between RAM and the chips. */
export const GAP = 0xfe000;

/** Arguments of a call that says that `done` elements of its list are done. */
export const from = (number: number, done: number | bigint): { readonly args: Record<number, Given> } => ({
  args: { 0: BigInt(number) + BigInt(done) * 64n },
});

export const one = (frame: Given): readonly Memory[] => [{ at: at("data"), width: "ulong", values: [frame] }];
export const extents = { extentStart: at("data"), nrExtents: 1, extentOrder: 0, memFlags: 0, domid: SELF };
export const release: Call = decrease.call(extents, 1, { memory: one(frameOf("spare")) });
export const takeBack: Call = populate.call(extents, 1, { memory: one(frameOf("spare")) });
export const removeSpare: Call = remove.call({ domid: SELF, gpfn: frameOf("spare") });
export const mapSpare: Call = addToPhysmap.call({ domid: SELF, space: GRANT_TABLE, idx: 0, gpfn: frameOf("spare") });

/** RAM goes where the machine has none, and from there. */
export const toGap: Fields = { domid: SELF, space: GMFN, idx: frameOf("spare"), gpfn: GAP };
export const moveToGap: Call = addToPhysmap.call(toGap);
export const fromGap = (target: Place): Call =>
  addToPhysmap.call({ domid: SELF, space: GMFN, idx: GAP, gpfn: frameOf(target) });
