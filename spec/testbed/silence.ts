/** Gives up on a VMM that has fallen silent, once it has been seen what its threads wait for. */
import type { Testbed } from "./testbed.js";

export interface SilenceWatch extends Disposable {
  /** Aborted at the end of a silence. */
  readonly signal: AbortSignal;
  /** What the VMM's threads did then; empty before. */
  readonly threads: string;
  /** To be called at every sound. */
  readonly broken: () => void;
}

/** How long the look at the threads may take. */
const LOOK_MS = 20_000;

/** A line for each thread: name, state, ticks in user and kernel mode, and what it waits for in the kernel. */
function threadsOf(program: string): string {
  const show = 'echo "$(cat comm) $(cut -d" " -f3,14,15 stat) $(cat wchan) $(cat syscall)"';
  // grep itself is among what it finds, and gone by then
  return `for cmdline in $(grep -l '${program}' /proc/[0-9]*/cmdline); do
    for task in $(dirname $cmdline)/task/[0-9]*; do [ -d $task ] && cd $task && ${show}; done
  done 2>&1`;
}

/** Starts to listen. `program` is a word of the VMM's command line. */
export function watchSilence(testbed: Testbed, program: string, limitMs: number): SilenceWatch {
  const giveUp = new AbortController();
  let threads = "";
  const look = async (): Promise<void> => {
    // Twice, as ticks that grow tell a thread that works from one that is stuck
    for (let times = 0; times < 2; times += 1) {
      const { stdout } = await testbed.run(threadsOf(program), { timeoutMs: LOOK_MS });
      threads += `${stdout}\n`;
    }
  };
  const timer = setTimeout(() => {
    void look()
      .catch((cause: unknown) => {
        threads += String(cause);
      })
      .finally(() => {
        giveUp.abort();
      });
  }, limitMs);
  return {
    signal: giveUp.signal,
    get threads() {
      return threads;
    },
    broken: () => {
      timer.refresh();
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
    },
  };
}
