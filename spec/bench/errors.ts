/** What keeps a benchmark from running and is not a bug: the message is for the person at the terminal. */
export class BenchError extends Error {
  override readonly name = "BenchError";
}
