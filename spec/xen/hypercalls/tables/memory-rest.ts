/** memory_op's calls that a guest is refused, or that have nothing to tell. [MEMORY] xen.git xen/include/public/memory.h */
import * as abi from "../../../../xen/abi/memory.js";
import {
  BACKEND,
  EACCES,
  EINVAL,
  ENOSYS,
  EOPNOTSUPP,
  EPERM,
  ESRCH,
  NO_NUMBER,
  OWN_NUMBER,
  SELF,
  STRANGER,
} from "./errno.js";
import { Family } from "./family.js";
import { from } from "./memory-calls.js";
import type { OperationTable } from "./row.js";
import { at } from "./value.js";

const family = new Family({ name: "memory_op", number: 12, source: "memory-rest.ts", pointer: 1 });

const op = {
  setPodTarget: family.operation({ number: 16, name: "XENMEM_set_pod_target" }, "in", abi.podTarget),
  getPodTarget: family.operation({ number: 17, name: "XENMEM_get_pod_target" }, "in", abi.podTarget),
  access: family.operation({ number: 21, name: "XENMEM_access_op" }, "in", abi.memAccessOp),
  claim: family.operation({ number: 24, name: "XENMEM_claim_pages" }, "in", abi.memoryReservation),
  vnuma: family.operation({ number: 26, name: "XENMEM_get_vnumainfo" }, "in", abi.vnumaTopologyInfo),
  deviceMemory: family.operation(
    { number: 27, name: "XENMEM_reserved_device_memory_map" },
    "inout",
    abi.reservedDeviceMemoryMap,
  ),
  acquireResource: family.bare(28, "XENMEM_acquire_resource"),
};

const claim = { extentStart: 0, nrExtents: 1, extentOrder: 0, memFlags: 0, domid: OWN_NUMBER };
const vnuma = { pad: 0, nrVnodes: 1, nrVcpus: 1, nrVmemranges: 1 };

export const memoryRestTables: readonly OperationTable[] = [
  ...[op.setPodTarget, op.getPodTarget].map((operation) =>
    operation.table("refused: for the control domain", [
      operation.row("refuses", { targetPages: 1, domid: SELF }, EPERM),
      operation.row("refuses another domain", { targetPages: 1, domid: STRANGER }, ESRCH),
      operation.row("refuses the back ends' domain", { targetPages: 1, domid: BACKEND }, EPERM),
      operation.row("has nothing to go on with", { targetPages: 1, domid: SELF }, ENOSYS, from(operation.number, 1)),
    ]),
  ),
  op.access.table("refused: for who monitors other domains", [
    op.access.row("knows no other domain", { op: 0, access: 0, domid: STRANGER, nr: 1, pfn: 0 }, ESRCH),
    op.access.row("does not take DOMID_SELF", { op: 0, access: 0, domid: SELF, nr: 1, pfn: 0 }, ESRCH),
    op.access.row("refuses to be about itself", { op: 0, access: 0, domid: OWN_NUMBER, nr: 1, pfn: 0 }, EPERM, {
      notInGuest: NO_NUMBER,
    }),
  ]),
  op.claim.table("refused: for the control domain", [
    op.claim.row("does not take DOMID_SELF", { ...claim, domid: SELF }, EINVAL),
    op.claim.row("knows no other domain", { ...claim, domid: STRANGER }, EINVAL),
    op.claim.row("refuses for the back ends' domain", { ...claim, domid: BACKEND }, EPERM),
    op.claim.row("refuses to be about itself", claim, EPERM, { notInGuest: NO_NUMBER }),
    op.claim.row("refuses a list", { ...claim, extentStart: at("data") }, EINVAL),
    op.claim.row("refuses an order", { ...claim, extentOrder: 1 }, EINVAL),
    op.claim.row("refuses flags", { ...claim, memFlags: 1 }, EINVAL),
    op.claim.row("has nothing to go on with", claim, EINVAL, from(24, 1)),
  ]),
  op.vnuma.table("not offered: there is one node", [
    op.vnuma.row("tells of none", { ...vnuma, domid: SELF }, EOPNOTSUPP),
    op.vnuma.row("refuses a padding", { ...vnuma, domid: SELF, pad: 1 }, EINVAL),
    op.vnuma.row("refuses another domain", { ...vnuma, domid: STRANGER }, ESRCH),
    op.vnuma.row("has nothing to go on with", { ...vnuma, domid: SELF }, EINVAL, from(26, 1)),
  ]),
  op.deviceMemory.table("tells of no memory that devices of the host keep to themselves", [
    op.deviceMemory.row("tells of none", { flags: 1, nrEntries: 9, buffer: at("hole") }, 0, {
      after: { nrEntries: 0 },
    }),
    op.deviceMemory.row("refuses unknown flags", { flags: 2, nrEntries: 9, buffer: at("data") }, EINVAL),
    op.deviceMemory.row("has nothing to go on with", { flags: 1, nrEntries: 9 }, EINVAL, from(27, 1)),
  ]),
  op.acquireResource.table("refused: not for HVM guests", [
    op.acquireResource.row("refuses", {}, EACCES, { args: { 1: at("argument") } }),
    op.acquireResource.row("refuses whatever it is given", {}, EACCES, { args: { 1: at("hole") } }),
  ]),
];
