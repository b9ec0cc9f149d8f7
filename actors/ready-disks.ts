/**
 * The IDE disks whose commands a vCPU's thread has a look at itself, once it has handled the access that started one: a
 * read of what the host has in memory takes less than waking the disk's actor, and the guest, which would have halted.
 *
 * A CD drive's medium changes between its actor's jobs, so those are left to it, and so is a file past the page cache,
 * where every read waits.
 */
import type { GuestMemory } from "../shared/memory.js";
import { ReadyReads } from "../devices/ide/ready-reads.js";
import { MAX_SEGMENTS } from "../devices/block-backend.js";
import { Iovecs } from "./host/iovecs.js";
import type { Scratch } from "./host/kvm.js";
import type { Libc } from "./host/libc.js";
import type { OpenDisk } from "./host/open-file.js";
import { ReadyFile } from "./host/ready-file.js";
import type { IdeDrives } from "./ide-drives.js";
import { hostAddresses } from "./machine-memory.js";
import type { MachineMemory } from "./machine-memory.js";

/** The vCPU's thread. */
export interface ReadyDisksHost {
  readonly board: { readonly ide: IdeDrives };
  readonly libc: Libc;
  readonly scratch: Scratch;
  readonly memory: GuestMemory;
  readonly parts: { readonly memory: MachineMemory };
  /** Tells the actor of disk `index` that there is a job. */
  kickDisk(index: number): void;
}

export class ReadyDisks {
  readonly #thread: ReadyDisksHost;
  /** By disk of the configuration; undefined where its actor does all. */
  readonly #disks: readonly (OpenDisk | undefined)[];
  /** By disk: made with the first command that this thread sees. */
  readonly #reads: (ReadyReads | undefined)[] = [];
  /** Disks whose jobs have not been looked at. */
  readonly #kicked: number[] = [];
  #iovecs: Iovecs | undefined = undefined;
  #serving = false;

  constructor(thread: ReadyDisksHost, disks: readonly OpenDisk[]) {
    this.#thread = thread;
    const { ide } = thread.board;
    this.#disks = disks.map((disk, index) =>
      ide.ofDisk(index)?.drive.kind === "disk" && !disk.direct ? disk : undefined,
    );
  }

  /** Disk `index` has a job. Under its channel's lock: true when {@link serve} looks at it. */
  kicked(index: number): boolean {
    // What follows on a job that was just served is the actor's: a guest must not keep its own vCPU here.
    if (this.#serving || this.#disks[index] === undefined) return false;
    this.#kicked.push(index);
    return true;
  }

  /** Carries out what can be carried out at once, and tells the actors of the rest. Without locks. */
  serve(): void {
    if (this.#kicked.length === 0) return;
    this.#serving = true;
    for (let index = this.#kicked.pop(); index !== undefined; index = this.#kicked.pop()) {
      this.#reads[index] ??= this.#readsOf(index);
      if (this.#reads[index]?.tryJob() !== true) this.#thread.kickDisk(index);
    }
    this.#serving = false;
  }

  #readsOf(index: number): ReadyReads | undefined {
    const { board, libc, memory, parts, scratch } = this.#thread;
    const place = board.ide.ofDisk(index)?.place;
    const disk = this.#disks[index];
    if (place === undefined || disk === undefined) return undefined;
    if (this.#iovecs === undefined) {
      const addresses = hostAddresses(parts.memory);
      this.#iovecs = new Iovecs({ scratch, addressOf: (buffer) => addresses.get(buffer) ?? 0 }, MAX_SEGMENTS);
    }
    const jobs = board.ide.pci.channels[place.channel].jobs[place.unit];
    return new ReadyReads({ jobs, memory, storage: new ReadyFile(libc, this.#iovecs, disk) });
  }
}
