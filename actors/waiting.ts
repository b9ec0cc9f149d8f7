/** Waiting for what may never come: an actor that dies, work that takes too long. */
import type { ActorHandle } from "./workers.js";

/** `result`, unless the actor's thread ends first. */
export async function unlessDead<T>(actor: ActorHandle, result: Promise<T>): Promise<Awaited<T>> {
  return Promise.race([result, actor.died]);
}

/** Waits for `work`, but not for ever. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([work.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits for `graceMs` until all have ended by themselves, as a thread that is torn down while it still loads its code leaves
 * files open; then ends them. `bells` wake those that sleep in a call of the host's, and that nobody could tell.
 */
export async function endWorkers(
  actors: readonly ActorHandle[],
  bells: readonly { ring(): void }[],
  graceMs: number,
): Promise<void> {
  await within(graceMs, Promise.all(actors.map(({ gone }) => gone)));
  for (const actor of actors) actor.settle();
  const ended = Promise.all(actors.map(({ worker }) => worker.terminate()));
  for (const bell of bells) bell.ring();
  await ended;
}
