/**
 * Writes a guest's memory and registers to an ELF core file, with the guest at rest. The chunks are written by a pool of
 * threads, made for the one dump and gone after it.
 */
import type { MachineStatus } from "../machine-end.js";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { SHARE_ENV } from "node:worker_threads";
import type { Piscina } from "piscina";
import { VmmError } from "../../shared/errors.js";
import type { MemoryRegion } from "../../shared/memory.js";
import { guestMemory } from "../guest-layout.js";
import { reasonOf } from "../host/open-file.js";
import type { MachineParts } from "../protocol.js";
import type { DumpChunk, DumpResult } from "./dump-task.js";
import { coreLayout } from "./elf-core.js";
import { registerNotes } from "./elf-notes.js";
import type { VcpuRegisters } from "./registers.js";
import { writeWholeFile } from "./whole-file.js";

const TASK = fileURLToPath(new URL("./dump-task.js", import.meta.url));
const CHUNK_BYTES = 16 * 1024 * 1024;
/** The disk, not the processor, is soon what limits. */
const MOST_THREADS = 4;

/** The machine, as far as a dump needs it. */
export interface DumpedMachine {
  status(): MachineStatus;
  pause(): Promise<void>;
  resume(): Promise<void>;
}

export class MemoryDumper {
  readonly #regions: readonly MemoryRegion[];
  readonly #registers: () => Promise<readonly VcpuRegisters[]>;
  /** Settles when the dump under way has left nothing behind; never rejects. */
  #underWay: Promise<void> | undefined;
  #abandoned = false;
  /** Ends the pool's threads, the first time. */
  #closePool: () => Promise<void> = () => Promise.resolve();

  /** `registers` asks each vCPU, which is at rest then. */
  constructor({ memory, config }: MachineParts, registers: () => Promise<readonly VcpuRegisters[]>) {
    this.#regions = guestMemory(memory, config, undefined).regions;
    this.#registers = registers;
  }

  /**
   * Writes the memory of `machine`, which runs on afterwards if it ran before.
   *
   * @throws VmmError STATE when the machine is not switched on or a dump is under way, HOST_SYSCALL when the file cannot
   *   be written; then there is none
   */
  async dump(machine: DumpedMachine, path: string): Promise<void> {
    if (this.#underWay !== undefined) throw new VmmError("STATE", "Cannot dump the guest's memory twice at once");
    const work = this.#dumpPaused(machine, path);
    this.#underWay = work.catch(() => undefined);
    try {
      await work;
    } finally {
      this.#underWay = undefined;
    }
  }

  /** Gives up a dump that is under way: the memory is about to go. Resolves when nothing of it is left. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    await this.#closePool();
    await this.#underWay;
  }

  async #dumpPaused(machine: DumpedMachine, path: string): Promise<void> {
    const ran = machine.status() === "running";
    if (ran) await machine.pause();
    const status = machine.status();
    if (status !== "paused") {
      throw new VmmError("STATE", `Cannot dump the memory of a machine that is ${status}`, { status });
    }
    try {
      await this.#write(path);
    } catch (cause) {
      if (cause instanceof VmmError) throw cause;
      const { code = "" } = cause as NodeJS.ErrnoException;
      const message = `Cannot dump the guest's memory to ${path}: ${reason(cause as Error, code)}`;
      throw new VmmError("HOST_SYSCALL", message, { path, errno: code }, { cause });
    } finally {
      if (ran && machine.status() === "paused") await machine.resume();
    }
  }

  async #write(path: string): Promise<void> {
    const layout = coreLayout(registerNotes(await this.#registers()), this.#regions);
    await writeWholeFile(path, async (file) => {
      await file.writeFile(layout.head);
      const chunks = this.#regions.flatMap((region, i) => chunksOf(region, file.fd, layout.offsets[i] ?? 0));
      await this.#writeChunks(chunks);
      // The end may be a hole.
      await file.truncate(layout.size);
    });
  }

  async #writeChunks(chunks: readonly DumpChunk[]): Promise<void> {
    // Loaded by the first dump, as most machines are never dumped.
    const { Piscina } = await import("piscina");
    const threads = Math.max(1, Math.min(MOST_THREADS, availableParallelism(), chunks.length));
    const options = { filename: TASK, name: "writeChunk", minThreads: threads, maxThreads: threads };
    const pool: Piscina<DumpChunk, DumpResult> = new Piscina({ ...options, env: SHARE_ENV, execArgv: [] });
    // What a thread still answers while the pool goes is an error to the pool; a chunk's fate comes by its promise.
    pool.on("error", () => undefined);
    // A pool that is told twice to go makes new threads in place of the old.
    let closed: Promise<void> | undefined;
    this.#closePool = () => (closed ??= pool.destroy());
    try {
      if (this.#abandoned) throw new Error("nobody waits for it");
      await Promise.all(
        chunks.map(async (chunk) => {
          check(await pool.run(chunk));
        }),
      );
    } catch (cause) {
      if (!this.#abandoned) throw cause;
      throw new VmmError("STATE", "The machine was let go while its memory was dumped", {}, { cause });
    } finally {
      await this.#closePool();
    }
  }
}

function chunksOf(region: MemoryRegion, fd: number, position: number): readonly DumpChunk[] {
  const { buffer, start, size } = region;
  return Array.from({ length: Math.ceil(size / CHUNK_BYTES) }, (_, i) => {
    const done = i * CHUNK_BYTES;
    const length = Math.min(CHUNK_BYTES, size - done);
    return { fd, buffer, start: start + done, length, position: position + done };
  });
}

function check(result: DumpResult): void {
  if (result.kind === "failed") throw Object.assign(new Error(result.message), { code: result.errno });
}

/** One line for a person. */
function reason({ message }: Error, code: string): string {
  switch (code) {
    case "":
      return message;
    case "ENOENT":
      return "there is no such folder";
    case "ENOTDIR":
      return "a part of the path is not a folder";
    case "ENOSPC":
    case "EDQUOT":
      return "there is no space left";
    case "EFBIG":
      return "the file would be larger than may be";
    default:
      return reasonOf({ code });
  }
}
