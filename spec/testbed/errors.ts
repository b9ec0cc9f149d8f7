/** What can go wrong with a testbed and is not a bug: the message is for the person at the terminal. */
export class TestbedError extends Error {
  override readonly name = "TestbedError";
}

/** A command ran longer than its caller allowed, and was killed. */
export class CommandTimeout extends TestbedError {
  readonly stdout: string;
  readonly stderr: string;

  constructor(message: string, output: { readonly stdout: string; readonly stderr: string }) {
    super(message);
    this.stdout = output.stdout;
    this.stderr = output.stderr;
  }
}
