/**
 * Tells the machine's thread what guests do with the trays of their CD drives: where a tray is now, never how often it
 * moved. One report a drive is under way at a time, so a guest that opens and closes for ever fills no queue.
 */

export interface TrayReportsHost {
  /** The CD drives, by index of their disks. */
  readonly drives: readonly number[];
  /** Whether the tray is open, if the guest has moved it since this was asked last. */
  takeMove(index: number): boolean | undefined;
  /** Answered by {@link TrayReports.heard}. */
  tell(index: number, open: boolean): void;
}

export class TrayReports {
  readonly #host: TrayReportsHost;
  readonly #underWay = new Set<number>();

  constructor(host: TrayReportsHost) {
    this.#host = host;
  }

  /** A tray may have moved. */
  poll(): void {
    for (const index of this.#host.drives) {
      if (this.#underWay.has(index)) continue;
      const open = this.#host.takeMove(index);
      if (open === undefined) continue;
      this.#underWay.add(index);
      this.#host.tell(index, open);
    }
  }

  /** The report on drive `index` has been taken. */
  heard(index: number): void {
    this.#underWay.delete(index);
    this.poll();
  }
}
