/**
 * Memory that threads share and of which we know the address, so that its parts can be handed to the kernel by number.
 *
 * A shared WebAssembly.Memory is page-aligned, lazily committed and visible to every worker; `mmap(MAP_FIXED)` puts other
 * mappings (kvm_run, overlay pages) inside it.
 */
import { VmmError } from "../../shared/errors.js";
import { checked, SYS } from "./libc.js";
import type { Libc } from "./libc.js";

const WASM_PAGE = 65_536;
/** A WebAssembly memory of 32-bit pages ends at 4 GiB. */
const MAX_BYTES = 65_536 * WASM_PAGE;

/** asm-generic/mman-common.h */
const PROT_READ_WRITE = 1 | 2;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MADV_DONTNEED = 4;
const MADV_HUGEPAGE = 14;

/** A shared buffer and where the process has it. Plain data: it goes to workers as it is. */
export interface HostMemory {
  readonly buffer: SharedArrayBuffer;
  /** Host virtual address of the buffer's first byte. */
  readonly hva: number;
}

/**
 * `bytes` of zeroed shared memory, not yet backed by pages.
 *
 * @throws RangeError above 4 GiB
 * @throws VmmError HOST_SYSCALL when the process may not have so much address space
 */
export function allocate(libc: Libc, bytes: number): HostMemory {
  const pages = Math.ceil(bytes / WASM_PAGE);
  if (pages * WASM_PAGE > MAX_BYTES) throw new RangeError(`Cannot allocate ${bytes} bytes at once: 4 GiB is the most`);
  const { buffer } = sharedMemory(pages);
  return { buffer, hva: libc.addressOf(Buffer.from(buffer, 0, 1)) };
}

function sharedMemory(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (cause) {
    const bytes = pages * WASM_PAGE;
    throw new VmmError(
      "HOST_SYSCALL",
      `Cannot allocate ${bytes} bytes of memory: the host is out of memory or a limit (ulimit -v, cgroup) is too low`,
      { bytes },
      { cause },
    );
  }
}

/** Maps `length` bytes of `fd` over the memory at `offset`; all multiples of 4 KiB. */
export function mapFile(libc: Libc, memory: HostMemory, range: FileRange): void {
  const result = libc.syscall(
    SYS.mmap,
    memory.hva + range.offset,
    range.length,
    PROT_READ_WRITE,
    MAP_SHARED | MAP_FIXED,
    range.fd,
    range.fileOffset,
  );
  checked("mmap", result, range.what);
}

export interface FileRange {
  /** Where in the memory, in bytes. */
  readonly offset: number;
  readonly length: number;
  readonly fd: number;
  readonly fileOffset: number;
  /** For the error message: "map the run page of vCPU 0". */
  readonly what: string;
}

/** Puts fresh zeroed anonymous memory over `[offset, offset + length)`, in place of whatever was mapped there. */
export function mapAnonymous(libc: Libc, memory: HostMemory, offset: number, length: number): void {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
  checked("mmap", libc.syscall(SYS.mmap, memory.hva + offset, length, PROT_READ_WRITE, flags, -1, 0), "map memory");
}

/** Gives what lies behind `[offset, offset + length)` back to the host: it reads as zeros. */
export function discard(libc: Libc, memory: HostMemory, offset: number, length: number): void {
  checked("madvise", libc.fast(SYS.madvise, memory.hva + offset, length, MADV_DONTNEED), "give memory back");
}

/** Asks for huge pages. A host without them goes on with small ones. */
export function adviseHugePages(libc: Libc, memory: HostMemory, offset: number, length: number): void {
  libc.syscall(SYS.madvise, memory.hva + offset, length, MADV_HUGEPAGE);
}
