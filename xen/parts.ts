/** The parts of a Xen domain, as hypercalls reach them. */
import type { VcpuId } from "../shared/brand.js";
import type { GuestMemory } from "../shared/memory.js";
import type { XenConfig } from "./domain-config.js";
import type { DomainState } from "./domain.js";
import type { EventChannels } from "./event-channels.js";
import type { EventDelivery } from "./event-delivery.js";
import type { GrantTable } from "./grant-table.js";
import type { XenHost } from "./host.js";
import type { MemoryMap } from "./memory-map.js";
import type { MovedFrames } from "./moved-frames.js";
import type { Overlays } from "./overlays.js";
import type { Pirqs } from "./pirq.js";
import type { Reservation } from "./reservation.js";
import type { Runstate } from "./runstate.js";
import type { XenTimers } from "./timers.js";
import type { VcpuStates } from "./vcpu-states.js";

export interface XenParts {
  readonly config: XenConfig;
  readonly host: XenHost;
  readonly memory: GuestMemory;
  readonly domain: DomainState;
  readonly overlays: Overlays;
  readonly moved: MovedFrames;
  readonly events: EventChannels;
  readonly delivery: EventDelivery;
  readonly pirqs: Pirqs;
  readonly grants: GrantTable;
  readonly timers: XenTimers;
  readonly runstate: Runstate;
  readonly reservation: Reservation;
  readonly memoryMap: MemoryMap;
  readonly vcpuStates: VcpuStates;
  /** Takes the layout of shared_info, 32 or 64 bit, from the caller's mode. */
  latchLongMode(longMode: boolean): void;
  /** Makes shared_info appear at `frame`, or nowhere when -1; false when it cannot. */
  mapSharedInfo(frame: number): boolean;
  /** vcpu_info or a time area of `vcpu` lies elsewhere now: tells who keeps it. */
  vcpuInfoMoved(vcpu: VcpuId): void;
}
