/** Waiting for what may never come: an actor that dies, work that takes too long. */
import type { ActorHandle } from "./workers.js";

/** `result`, unless the actor's thread ends first. */
export async function unlessDead<T>(actor: Pick<ActorHandle, "died">, result: Promise<T>): Promise<Awaited<T>> {
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

/** Loading takes milliseconds, on a busy host seconds. */
const LOADING_MS = 30_000;

/**
 * Waits for `graceMs` until all have ended by themselves; then ends them. `bells` wake those that sleep in a call of the
 * host's, and that nobody could tell. A thread that is torn down while it still loads its code leaves files open, and what it
 * has read in memory: it gets longer, and turns back once it has loaded.
 *
 * @throws what the last try to ring a bell ended with, when all that could be ended has been
 */
export async function endWorkers(
  actors: readonly ActorHandle[],
  bells: readonly { ring(): void }[],
  graceMs: number,
): Promise<void> {
  await within(graceMs, Promise.all(actors.map(({ gone }) => gone)));
  const coming = actors.filter((actor) => actor.turnBack());
  const up = actors.filter((actor) => !coming.includes(actor));
  for (const actor of up) actor.settle();
  const ended = Promise.all(up.map((actor) => actor.terminate()));
  const failure = ringAll(bells);
  await (failure === undefined ? ended : within(graceMs, ended));
  await within(LOADING_MS, Promise.all(coming.map(({ gone }) => gone)));
  await Promise.all(coming.map((actor) => actor.terminate()));
  if (failure !== undefined) throw failure;
}

/** Each at most twice: what the host has refused once it may do the next time. The first failure to the last. */
function ringAll(bells: readonly { ring(): void }[]): Error | undefined {
  const failures: unknown[] = [];
  for (const bell of bells) {
    try {
      bell.ring();
    } catch {
      try {
        bell.ring();
      } catch (error) {
        failures.push(error);
      }
    }
  }
  return failures[0] as Error | undefined;
}
