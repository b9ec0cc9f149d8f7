/** The host's end of the talk with the stress guest: what it has said last, and waiting for what it has to say. */
import type { GuestLine } from "./guest-lines.js";

export class GuestLink {
  readonly #waiters = new Set<(line: GuestLine) => void>();
  readonly #patienceMs: number;
  /** By `performance.now()`. */
  lastLineAt = performance.now();

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  hear(line: GuestLine): void {
    this.lastLineAt = performance.now();
    for (const waiter of [...this.#waiters]) waiter(line);
  }

  /** Resolves to true when the guest says what is `expected`, to false when patience is over or `given up`. */
  async expect(expected: (line: GuestLine) => boolean, givenUp: Promise<unknown>): Promise<boolean> {
    let waiter: (line: GuestLine) => void = () => undefined;
    let timer: NodeJS.Timeout | undefined;
    const said = new Promise<boolean>((resolve) => {
      waiter = (line) => {
        if (expected(line)) resolve(true);
      };
      timer = setTimeout(() => {
        resolve(false);
      }, this.#patienceMs);
      void givenUp.then(() => {
        resolve(false);
      });
    });
    this.#waiters.add(waiter);
    try {
      return await said;
    } finally {
      this.#waiters.delete(waiter);
      clearTimeout(timer);
    }
  }
}
