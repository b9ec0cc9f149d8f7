/** What a machine holds of the host's and must give back: descriptors, paths, mappings, in the order in which it got them. */
import { closeSync, rmSync } from "node:fs";
import { VmmError } from "../../shared/errors.js";

interface Holding {
  /** -1 when it is no descriptor. */
  readonly fd: number;
  readonly giveBack: () => void;
}

export class Holdings {
  #held: Holding[] = [];

  keep(fd: number): number {
    const giveBack = (): void => {
      closeSync(fd);
    };
    this.#held.push({ fd, giveBack });
    return fd;
  }

  /** A path that the machine made: a socket's. Somebody else may remove it. */
  keepPath(path: string): void {
    this.keepUntil(() => {
      rmSync(path, { force: true });
    });
  }

  /** Something that `giveBack` gives back. */
  keepUntil(giveBack: () => void): void {
    this.#held.push({ fd: -1, giveBack });
  }

  /** Closes one descriptor before its time. */
  close(fd: number): void {
    this.#held = this.#held.filter((held) => held.fd !== fd);
    closeSync(fd);
  }

  /**
   * Gives everything back, last first.
   *
   * @throws VmmError HOST_SYSCALL for the first that the host did not take back; all others are
   */
  release(): void {
    const failures: unknown[] = [];
    for (const { giveBack } of this.#held.splice(0).reverse()) {
      try {
        giveBack();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 0) return;
    const [first] = failures;
    if (first instanceof VmmError) throw first;
    const reason = first instanceof Error ? first.message : String(first);
    throw new VmmError("HOST_SYSCALL", `Cannot give back what the machine had: ${reason}`, {}, { cause: first });
  }
}
