/** How a domain ends its life: the reason that the first who knew one has latched, or the one at hand. [SCHED] sched.h */
import type { VcpuId } from "../shared/brand.js";
import { SHUTDOWN_REASONS } from "./abi/sched.js";
import type { DomainState } from "./domain.js";
import type { ShutdownReason, XenHost } from "./host.js";

export interface ShutdownParts {
  readonly domain: DomainState;
  readonly host: Pick<XenHost, "shutdown" | "log">;
}

/** Bits of a reason that count: Xen keeps a byte. */
const CODE_MASK = 0xff;

/** SCHEDOP_shutdown_code: latches `reason`, of which the low byte counts. Any will do, as to Xen. */
export function latchShutdown(domain: DomainState, reason: number): void {
  domain.latchShutdown(reason & CODE_MASK);
}

/**
 * The domain ends for `reason`, of which the low byte counts, unless another was latched. One that has no name powers the
 * machine off, as Xen's tools destroy such a domain, and say so.
 */
export function shutDown({ domain, host }: ShutdownParts, vcpu: VcpuId, reason: number): void {
  const code = domain.takeShutdown(reason & CODE_MASK);
  const name: ShutdownReason | undefined = SHUTDOWN_REASONS[code];
  if (name === undefined) host.log.warn("the guest shut down for a reason that is none", { vcpu, reason: code });
  host.shutdown(vcpu, name ?? "poweroff");
}
