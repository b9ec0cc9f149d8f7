/** The other side of the mailbox's specs: posts bits, or rings after it has stored a number, as often as it is told. */
import { workerData } from "node:worker_threads";
import { Mailbox } from "../../shared/mailbox.js";

const { words, numbers, bit, rounds } = workerData as {
  readonly words: Int32Array<SharedArrayBuffer>;
  /** [0] what was stored last, [1] what the owner has seen of it. */
  readonly numbers: Int32Array<SharedArrayBuffer>;
  /** 0: store a number and wake. */
  readonly bit: number;
  readonly rounds: number;
};
const mailbox = new Mailbox(words);

for (let round = 1; round <= rounds; round++) {
  if (bit === 0) {
    Atomics.store(numbers, 0, round);
    mailbox.wake();
    // One at a time: a wake-up that is lost leaves both sides asleep.
    for (;;) {
      const seen = Atomics.load(numbers, 1);
      if (seen >= round) break;
      Atomics.wait(numbers, 1, seen);
    }
  } else {
    mailbox.post(bit);
    while ((Atomics.load(words, 0) & bit) !== 0) Atomics.wait(words, 0, Atomics.load(words, 0), 1);
  }
}
