/** Signals from outside: to end in order, to be stopped and continued with the terminal as it should be. */
import { constants } from "node:os";
import { SIGNAL_BASE } from "./exit-codes.js";

export interface SignalHost {
  /** Ends the machine in order; called once. */
  terminate(signal: NodeJS.Signals): void;
  /** Gives the terminal back before we are stopped. */
  suspend(): void;
  /** Takes it again. */
  resume(): void;
}

const TERMINATING = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return SIGNAL_BASE + constants.signals[signal];
}

/** Starts to handle signals, until the returned function is called. */
export function handleSignals(host: SignalHost): () => void {
  let terminating = false;
  const handlers: (readonly [NodeJS.Signals, (signal: NodeJS.Signals) => void])[] = [
    [
      "SIGTSTP",
      () => {
        host.suspend();
        // SIGTSTP itself is ours now, so we stop by the signal that nobody can take.
        process.kill(process.pid, "SIGSTOP");
      },
    ],
    [
      "SIGCONT",
      () => {
        host.resume();
      },
    ],
    // A file that reached the limit of its size is an error of that write, not the end of the machine.
    ["SIGXFSZ", () => undefined],
  ];
  for (const signal of TERMINATING) {
    handlers.push([
      signal,
      () => {
        // Whoever asks twice does not want to wait for the guest's disks.
        if (terminating) {
          host.suspend();
          release();
          // By the signal itself: process.exit() would wait for threads that sit in system calls.
          process.kill(process.pid, signal);
          return;
        }
        terminating = true;
        host.terminate(signal);
      },
    ]);
  }
  for (const [signal, handler] of handlers) process.on(signal, handler);
  // Also when an error that nobody caught ends us.
  const onExit = () => {
    host.suspend();
  };
  process.on("exit", onExit);
  return release;

  function release(): void {
    for (const [signal, handler] of handlers) process.off(signal, handler);
    process.off("exit", onExit);
  }
}
