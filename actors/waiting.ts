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
