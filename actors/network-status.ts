/** What people ask of a machine's network cards. */
import type { NetBackend, ResolvedConfig } from "../shared/config.js";

export interface NetworkStatus {
  readonly id: string;
  readonly mac: string;
  readonly backend: NetBackend["kind"];
  /** Whether there is somebody at the other end of the cable. */
  readonly linkUp: boolean;
}

/** `links` is whether each card's link is up; those that are left out have none. */
export function networkStatus({ nets }: ResolvedConfig, links: readonly boolean[]): readonly NetworkStatus[] {
  return nets.map(({ id, mac, backend }, index) => ({ id, mac, backend: backend.kind, linkUp: links[index] ?? false }));
}
