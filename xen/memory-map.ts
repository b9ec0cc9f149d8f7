/**
 * The memory map that XENMEM_memory_map tells: the machine's, until the guest sets another. Nothing else looks at it.
 *
 * [MEMORY] xen.git xen/include/public/memory.h (XENMEM_memory_map, XENMEM_set_memory_map)
 */
import type { SharedArena } from "../shared/arena.js";
import type { E820Entry } from "../shared/layout.js";
import { Lock } from "../shared/lock.js";
import { E820_ENTRY_SIZE, E820_MAX_ENTRIES } from "./abi/memory.js";

export interface MemoryMapSnapshot {
  /** Entries as the guest reads them, of 20 bytes. */
  readonly entries: Uint8Array;
}

export class MemoryMap {
  readonly #first: Uint8Array;
  readonly #lock: Lock;
  /** Bytes in use of the entries. */
  readonly #length: Int32Array<SharedArrayBuffer>;
  readonly #entries: Uint8Array<SharedArrayBuffer>;
  /** This thread's copy, for what comes from a guest or goes to it. */
  readonly #copy = new Uint8Array(E820_MAX_ENTRIES * E820_ENTRY_SIZE);

  constructor(arena: SharedArena, map: readonly E820Entry[]) {
    this.#first = encode(map);
    this.#lock = new Lock(arena.int32(1));
    this.#length = arena.int32(1);
    this.#entries = arena.uint8(E820_MAX_ENTRIES * E820_ENTRY_SIZE);
  }

  /** The machine's map again. */
  reset(): void {
    this.write(this.#first);
  }

  /** Up to `count` entries, valid until the next call; undefined when the map has none at all. */
  read(count: number): Uint8Array | undefined {
    this.#lock.acquire();
    try {
      const all = this.#length[0] ?? 0;
      const length = Math.min(all, count * E820_ENTRY_SIZE);
      this.#copy.set(this.#entries.subarray(0, length));
      return all === 0 ? undefined : this.#copy.subarray(0, length);
    } finally {
      this.#lock.release();
    }
  }

  /** Room for `count` entries, at most E820_MAX_ENTRIES, which {@link write} may then take. */
  scratch(count: number): Uint8Array {
    return this.#copy.subarray(0, count * E820_ENTRY_SIZE);
  }

  /** Takes all of `entries` for the map. */
  write(entries: Uint8Array): void {
    this.#lock.acquire();
    try {
      this.#entries.set(entries);
      this.#length[0] = entries.length;
    } finally {
      this.#lock.release();
    }
  }

  save(): MemoryMapSnapshot {
    return { entries: this.read(E820_MAX_ENTRIES)?.slice() ?? new Uint8Array(0) };
  }

  restore(state: MemoryMapSnapshot): void {
    this.write(state.entries);
  }
}

/** As BIOS INT 15h, AX=E820h gives entries: base, length, type. */
function encode(map: readonly E820Entry[]): Uint8Array {
  const bytes = new Uint8Array(map.length * E820_ENTRY_SIZE);
  const view = new DataView(bytes.buffer);
  for (const [i, { base, length, type }] of map.entries()) {
    const at = i * E820_ENTRY_SIZE;
    view.setBigUint64(at, BigInt(base), true);
    view.setBigUint64(at + 8, BigInt(length), true);
    view.setUint32(at + 16, type, true);
  }
  return bytes;
}
