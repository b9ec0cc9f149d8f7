/** The discs in a machine's CD drives: what there is, and how it is changed while the machine lives. */
import type { DiskConfig } from "../shared/config.js";
import { VmmError } from "../shared/errors.js";
import type { OpenDisk } from "./host/open-file.js";

/** A CD drive, as a person sees it. */
export interface CdDriveStatus {
  /** The disk's `id` in the configuration. */
  readonly id: string;
  /** The image in it, in an open tray too; undefined without a disc. */
  readonly path: string | undefined;
  readonly trayOpen: boolean;
  /** The guest has locked the tray. */
  readonly locked: boolean;
}

export interface ChangeMediumOptions {
  /** Opens a tray that the guest has locked, as a paper clip does. */
  readonly force?: boolean;
}

/** Called when the guest has opened or closed a drive's tray. */
export type TrayListener = (id: string, open: boolean) => void;

/** How a drive stands, as its own thread knows it. */
export interface TrayStatus {
  readonly trayOpen: boolean;
  readonly locked: boolean;
}

export interface MediaHost {
  readonly disks: readonly DiskConfig[];
  /** @throws VmmError CONFIG with one line that names the file and what is wrong with it */
  open(disk: DiskConfig): OpenDisk;
  /**
   * Puts `disk` into the drive of disk `index`, and lets go of what was there before; false when its tray is locked, and
   * `force` is not.
   */
  change(index: number, disk: OpenDisk, force: boolean): Promise<boolean>;
  /** Lets go of what has not been taken. */
  refused(disk: OpenDisk): void;
  status(index: number): Promise<TrayStatus>;
}

export class Media {
  readonly #host: MediaHost;
  /** The configuration of every disk, with the path of what is in it now. */
  readonly #disks: DiskConfig[];
  readonly #listeners: TrayListener[] = [];
  /** Changes happen one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(host: MediaHost) {
    this.#host = host;
    this.#disks = [...host.disks];
  }

  /** Every CD drive of the machine, in the order of the configuration. */
  async drives(): Promise<readonly CdDriveStatus[]> {
    const drives = this.#disks.flatMap((disk, index) => (isCdDrive(disk) ? [{ disk, index }] : []));
    return Promise.all(
      drives.map(async ({ disk: { id, path }, index }) => ({ id, path, ...(await this.#host.status(index)) })),
    );
  }

  /**
   * Puts the image at `path` into the drive called `id`, or nothing, which leaves its tray open. The guest is told.
   *
   * @throws VmmError CONFIG when there is no such drive or the image cannot be used; STATE when the guest has locked the
   *   tray: it has been asked to let go then
   */
  async change(id: string, path: string | undefined, { force = false }: ChangeMediumOptions = {}): Promise<void> {
    const change = this.#last.then(() => this.#change(id, path, force));
    this.#last = change.catch(() => undefined);
    await change;
  }

  listen(listener: TrayListener): void {
    this.#listeners.push(listener);
  }

  /** The guest has moved the tray of disk `index`. */
  trayMoved(index: number, open: boolean): void {
    const disk = this.#disks[index];
    if (disk === undefined) return;
    for (const listener of this.#listeners) listener(disk.id, open);
  }

  async #change(id: string, path: string | undefined, force: boolean): Promise<void> {
    const index = this.#find(id);
    const disk = this.#disks[index];
    if (disk === undefined) throw new RangeError(`There is no disk ${index}`);
    const next = { ...disk, path };
    // A bad path leaves the drive as it was.
    const opened = this.#host.open(next);
    if (!(await this.#changed(index, opened, force))) {
      throw new VmmError(
        "STATE",
        `Cannot change the disc in ${id}: the guest has locked the tray, and has been asked to let go (force overrides)`,
        { disk: id },
      );
    }
    this.#disks[index] = next;
  }

  async #changed(index: number, opened: OpenDisk, force: boolean): Promise<boolean> {
    let changed = false;
    try {
      changed = await this.#host.change(index, opened, force);
    } finally {
      if (!changed) this.#host.refused(opened);
    }
    return changed;
  }

  #find(id: string): number {
    const index = this.#disks.findIndex((disk) => disk.id === id);
    const disk = this.#disks[index];
    const drives = this.#disks.filter(isCdDrive).map((drive) => drive.id);
    const known = drives.length === 0 ? "the machine has no CD drive" : `the CD drives are ${drives.join(", ")}`;
    if (disk === undefined) throw noDrive(id, `there is no disk of this name; ${known}`);
    if (!isCdDrive(disk)) throw noDrive(id, `it is not a CD drive on IDE; ${known}`);
    return index;
  }
}

function isCdDrive({ media, attach }: DiskConfig): boolean {
  return media === "cdrom" && attach.kind === "ide";
}

function noDrive(id: string, reason: string): VmmError {
  return new VmmError("CONFIG", `Cannot change the disc in ${id}: ${reason}`, { disk: id });
}
