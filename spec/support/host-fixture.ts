/** What code of actors/host/ needs of its thread: libc, scratch memory, a poller. */
import { openLibc } from "../../actors/host/libc.js";
import type { Libc } from "../../actors/host/libc.js";
import { allocate } from "../../actors/host/host-memory.js";
import { Scratch } from "../../actors/host/kvm.js";
import { Poller } from "../../actors/host/poller.js";

export const SCRATCH_BYTES = 64 * 1024;

export interface HostFixture {
  readonly libc: Libc;
  readonly scratch: Scratch;
  readonly poller: Poller;
  readonly settled: () => void;
}

export function hostFixture(): HostFixture {
  const libc = openLibc();
  const scratch = new Scratch(allocate(libc, SCRATCH_BYTES), 0, SCRATCH_BYTES);
  return { libc, scratch, poller: new Poller(libc, scratch), settled: () => undefined };
}
