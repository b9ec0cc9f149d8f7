/** physdev_op. [PHYSDEV] xen.git xen/include/public/physdev.h */
import * as events from "../../../../xen/abi/event-channel.js";
import * as abi from "../../../../xen/abi/physdev.js";
import { BACKEND, EBUSY, EINVAL, ENOSYS, EPERM, ESRCH, SELF, STRANGER } from "./errno.js";
import { Family } from "./family.js";
import type { Call } from "./row.js";
import { at, between, saved } from "./value.js";

const family = new Family({ name: "physdev_op", number: 33, source: "physdev-op.ts", pointer: 1 });
const LEAKS = { leaks: "the number could not be told, and stays taken" };

const op = {
  irqStatusQuery: family.operation({ number: 5, name: "PHYSDEVOP_irq_status_query" }, "inout", abi.irqStatusQuery),
  eoi: family.operation({ number: 12, name: "PHYSDEVOP_eoi" }, "in", abi.physdevEoi),
  mapPirq: family.operation({ number: 13, name: "PHYSDEVOP_map_pirq" }, "inout", abi.mapPirq, LEAKS),
  unmapPirq: family.operation({ number: 14, name: "PHYSDEVOP_unmap_pirq" }, "in", abi.unmapPirq),
  eoiFrame1: family.bare(17, "PHYSDEVOP_pirq_eoi_gmfn_v1"),
  getFreePirq: family.operation({ number: 23, name: "PHYSDEVOP_get_free_pirq" }, "inout", abi.getFreePirq, LEAKS),
  eoiFrame2: family.bare(28, "PHYSDEVOP_pirq_eoi_gmfn_v2"),
};

const eventChannels = new Family({ name: "event_channel_op", number: 32, source: "event-channel-op.ts", pointer: 1 });
const bindPirq = eventChannels.operation({ number: 2, name: "EVTCHNOP_bind_pirq" }, "inout", events.bindPirq);
const close = eventChannels.operation({ number: 3, name: "EVTCHNOP_close" }, "in", events.portArgument);

/** MAP_PIRQ_TYPE_*. */
const MSI = 0;
const GSI = 1;
const MSI_SEG = 3;
/** Without a device; and one more. */
const FREE_GSI = 23;
const OTHER_GSI = 22;
const GSIS = 24;
const MAX_PIRQS = 256;
const ANY = -1;
const NEEDS_EOI = 1;

const PIRQ = 0;
const PORT = 1;
const keep = { [PIRQ]: "pirq" };
const map = (index: number, pirq = ANY): Call =>
  op.mapPirq.call({ domid: SELF, type: GSI, index, pirq }, 0, { save: keep });
const unmap: Call = op.unmapPirq.call({ domid: SELF, pirq: saved(PIRQ) });
const free = (type: number): Call => op.getFreePirq.call({ type }, 0, { save: keep });
/** A number that stands for nothing. */
const unmapped: readonly Call[] = [map(FREE_GSI), unmap];

export const physdevOpTable = family.table([
  op.irqStatusQuery.table("whether a PIRQ wants an EOI: those of GSIs do", [
    op.irqStatusQuery.row("tells of a GSI's", { irq: saved(PIRQ) }, 0, {
      first: [map(FREE_GSI)],
      after: { flags: NEEDS_EOI },
      last: [unmap],
    }),
    op.irqStatusQuery.row("tells of a message's", { irq: saved(PIRQ) }, 0, {
      first: [free(MSI)],
      after: { flags: 0 },
      last: [unmap],
    }),
    op.irqStatusQuery.row("refuses one that stands for nothing", { irq: saved(PIRQ) }, EINVAL, { first: unmapped }),
    op.irqStatusQuery.row("E16: refuses one out of range", { irq: MAX_PIRQS }, EINVAL),
  ]),
  op.eoi.table("ends a level-triggered interrupt, which comes again while its line is up", [
    op.eoi.row("ends one", { irq: saved(PIRQ) }, 0, { first: [map(FREE_GSI)], last: [unmap] }),
    op.eoi.row("does nothing for a message's", { irq: saved(PIRQ) }, 0, { first: [free(MSI)], last: [unmap] }),
    op.eoi.row("E16: refuses one that was never mapped", { irq: OTHER_GSI }, EINVAL),
    op.eoi.row("E16: refuses one that stands for nothing any more", { irq: saved(PIRQ) }, EINVAL, { first: unmapped }),
    op.eoi.row("does nothing for one that is bound alone", { irq: OTHER_GSI }, 0, {
      first: [bindPirq.call({ pirq: OTHER_GSI, flags: 0 }, 0, { save: { [PORT]: "port" } })],
      last: [close.call({ port: saved(PORT) })],
    }),
    op.eoi.row("E16: refuses one out of range", { irq: MAX_PIRQS }, EINVAL),
    op.eoi.row("E16: refuses number 2^32-1", { irq: 0xffff_ffff }, EINVAL),
  ]),
  op.mapPirq.table("gives a GSI a PIRQ: the number asked for, or any", [
    op.mapPirq.row("maps a GSI to any number", { domid: SELF, type: GSI, index: FREE_GSI, pirq: ANY }, 0, {
      after: { pirq: between(16, MAX_PIRQS - 1) },
      save: keep,
      last: [unmap],
    }),
    op.mapPirq.row(
      "maps a GSI to the number asked for",
      { domid: SELF, type: GSI, index: FREE_GSI, pirq: FREE_GSI },
      0,
      { after: { pirq: FREE_GSI }, save: keep, last: [unmap] },
    ),
    op.mapPirq.row("tells the number that a GSI has", { domid: SELF, type: GSI, index: FREE_GSI, pirq: ANY }, 0, {
      first: [map(FREE_GSI, FREE_GSI)],
      after: { pirq: FREE_GSI },
      last: [unmap],
    }),
    op.mapPirq.row(
      "E16: refuses a second number for a GSI",
      { domid: SELF, type: GSI, index: FREE_GSI, pirq: OTHER_GSI },
      EBUSY,
      { first: [map(FREE_GSI, FREE_GSI)], last: [unmap] },
    ),
    op.mapPirq.row(
      "E16: refuses a number that another GSI has",
      { domid: SELF, type: GSI, index: OTHER_GSI, pirq: FREE_GSI },
      EBUSY,
      { first: [map(FREE_GSI, FREE_GSI)], last: [unmap] },
    ),
    op.mapPirq.row("E16: refuses a GSI that is not", { domid: SELF, type: GSI, index: GSIS, pirq: ANY }, EINVAL),
    op.mapPirq.row("E16: refuses a GSI below 0", { domid: SELF, type: GSI, index: -1, pirq: ANY }, EINVAL),
    op.mapPirq.row(
      "E16: refuses a number out of range",
      { domid: SELF, type: GSI, index: FREE_GSI, pirq: MAX_PIRQS },
      EINVAL,
    ),
    op.mapPirq.row("refuses a real device's messages", { domid: SELF, type: MSI, index: 0, pirq: ANY }, EINVAL),
    op.mapPirq.row("refuses type 3", { domid: SELF, type: MSI_SEG, index: 0, pirq: ANY }, EINVAL),
    op.mapPirq.row("refuses another domain", { domid: STRANGER, type: GSI, index: FREE_GSI, pirq: ANY }, ESRCH),
  ]),
  op.unmapPirq.table("takes a PIRQ back", [
    op.unmapPirq.row("takes a GSI's", { domid: SELF, pirq: saved(PIRQ) }, 0, {
      first: [map(FREE_GSI)],
      ifRefused: [unmap],
    }),
    op.unmapPirq.row("takes a message's", { domid: SELF, pirq: saved(PIRQ) }, 0, { first: [free(MSI)] }),
    op.unmapPirq.row("E16: does nothing to one that stands for nothing", { domid: SELF, pirq: saved(PIRQ) }, 0, {
      first: unmapped,
    }),
    op.unmapPirq.row("E16: does nothing to one out of range", { domid: SELF, pirq: MAX_PIRQS }, 0),
    op.unmapPirq.row("E16: does nothing to one below 0", { domid: SELF, pirq: -1 }, 0),
    op.unmapPirq.row("refuses the back ends' domain", { domid: BACKEND, pirq: FREE_GSI }, EPERM),
    op.unmapPirq.row("refuses another domain", { domid: STRANGER, pirq: FREE_GSI }, ESRCH),
  ]),
  op.eoiFrame1.table("not offered: guests then call PHYSDEVOP_eoi", [
    op.eoiFrame1.row("refuses", {}, ENOSYS, { args: { 1: at("argument") } }),
  ]),
  op.getFreePirq.table("gives a PIRQ that stands for nothing yet", [
    op.getFreePirq.row("gives one for messages", { type: MSI }, 0, {
      after: { pirq: between(GSIS, MAX_PIRQS - 1) },
      save: keep,
      last: [unmap],
    }),
    op.getFreePirq.row("gives one for a GSI", { type: GSI }, 0, {
      after: { pirq: between(16, MAX_PIRQS - 1) },
      save: keep,
      last: [unmap],
    }),
    op.getFreePirq.row("refuses type 3", { type: MSI_SEG }, EINVAL),
    op.getFreePirq.row("refuses type -1", { type: -1 }, EINVAL),
  ]),
  op.eoiFrame2.table("not offered: guests then call PHYSDEVOP_eoi", [
    op.eoiFrame2.row("refuses", {}, ENOSYS, { args: { 1: at("argument") } }),
  ]),
]);
