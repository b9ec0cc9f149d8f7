/** Bytes for a device of the guest's, which takes them when it has room. */

const RETRY_MS = 5;

export interface StreamInputHost {
  /** Offers bytes; how many were taken. */
  input(bytes: Uint8Array): Promise<number>;
  /** A machine that ends takes nothing more. */
  readonly ended: Promise<unknown>;
}

/** Resolves when all bytes have been taken, or never will be. */
export async function giveInput(bytes: Uint8Array, host: StreamInputHost): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const taken = await Promise.race([host.input(bytes.subarray(done)), host.ended.then(() => Infinity)]);
    done += taken;
    if (taken === 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
