/** What a guest had still to say when it came to its end: handed over before its machine's end is told. */
import type { OutputStreams } from "./output-streams.js";
import { unlessDead, within } from "./waiting.js";
import type { ActorHandle } from "./workers.js";

/** The device actor comes up within milliseconds, on a slow host within many seconds; only then can it say anything. */
const COMING_MS = 30_000;
/** How long the listeners get to take it. */
const LISTENERS_MS = 5000;

type Devices = Pick<ActorHandle, "died"> & { readonly api: { drained(): Promise<boolean> } };

/** Until all that the guest wrote has been handed over; not for ever, whatever the listeners do. */
export async function lastWords(devices: Devices, streams: Pick<OutputStreams, "idle">): Promise<void> {
  const drained = async (): Promise<boolean> => unlessDead(devices, devices.api.drained());
  await within(COMING_MS, drained());
  await within(LISTENERS_MS, untilIdle(drained, streams));
}

async function untilIdle(drained: () => Promise<boolean>, streams: Pick<OutputStreams, "idle">): Promise<void> {
  while (!(await drained())) await new Promise((resolve) => setTimeout(resolve, 1));
  await streams.idle();
}
