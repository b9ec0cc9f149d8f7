/**
 * The one door to the host's C library: system calls by number, through a foreign-function binding.
 *
 * Every argument is an integer: structs live in shared memory whose address we know (host-memory.ts), so no call
 * marshals anything. Two bindings: ffi-rs, and koffi, which is twenty times faster (docs/performance.md) and taken where it
 * is installed. The other is not even loaded: that alone takes 7 ms. `XENOLITH_FFI=ffi-rs` or `=koffi` forces one.
 *
 * ffi-rs keeps its symbols in a table that all threads share without a lock: `openLibc()` on the main thread resolves
 * the two that we use, before any worker starts.
 */
import type * as FfiRs from "ffi-rs";
import type Koffi from "koffi";
import { VmmError } from "../../shared/errors.js";
import { faultPlan, faultyLibc } from "./faults.js";
import { nativeRequire } from "./native-require.js";
import { errnoName, ERRNO, HINTS, SYS } from "./syscalls.js";
import type { Syscall } from "./syscalls.js";

/** One foreign-function library, bound to what we need of libc. */
interface Binding {
  readonly name: "ffi-rs" | "koffi";
  readonly syscall: Syscall;
  /** Address of the first byte of `buffer`. */
  addressOf(buffer: Buffer): number;
}

export interface Libc {
  /** Which binding serves the calls on the exit path. */
  readonly fastBinding: "ffi-rs" | "koffi";
  /** For the calls that happen while a guest runs. */
  readonly fast: Syscall;
  /** For set-up and control. */
  readonly syscall: Syscall;
  addressOf(buffer: Buffer): number;
}

const LIBRARY = "xenolith-libc";

function loadFfiRs(): typeof FfiRs {
  try {
    return nativeRequire("ffi-rs") as typeof FfiRs;
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    throw new VmmError("HOST_SYSCALL", `Cannot load ffi-rs: ${reason}`, {}, { cause });
  }
}

function bindFfiRs(): Binding {
  const { DataType, load, open } = loadFfiRs();
  // The empty path is the process itself, which has libc loaded.
  open({ library: LIBRARY, path: "" });
  const { I64, I32, U8Array } = DataType;
  const paramsType = [I64, I64, I64, I64, I64, I64, I64];
  const paramsValue = [0, 0, 0, 0, 0, 0, 0];
  const call = { library: LIBRARY, funcName: "syscall", retType: I64, paramsType, paramsValue, errno: true as const };
  return {
    name: "ffi-rs",
    // eslint-disable-next-line @typescript-eslint/max-params -- as above
    syscall(nr, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0) {
      paramsValue[0] = nr;
      paramsValue[1] = a;
      paramsValue[2] = b;
      paramsValue[3] = c;
      paramsValue[4] = d;
      paramsValue[5] = e;
      paramsValue[6] = f;
      const { value, errnoCode } = load(call) as unknown as { readonly value: number; readonly errnoCode: number };
      return value === -1 ? -errnoCode : value;
    },
    addressOf: (buffer) =>
      // memchr() finds the first byte where it is, at the start: it returns its pointer argument.
      load({
        library: LIBRARY,
        funcName: "memchr",
        retType: I64,
        paramsType: [U8Array, I32, I64],
        paramsValue: [buffer, buffer[0] ?? 0, 1],
      }),
  };
}

/**
 * koffi's own way to its binary leads through five files and a look into Node's own: 5 ms in every thread. Where npm has put
 * the one for us, it is taken as it is: koffi exports the same functions.
 */
function loadKoffi(): typeof Koffi {
  try {
    return nativeRequire("@koromix/koffi-linux-x64/linux_x64/koffi.node") as typeof Koffi;
  } catch {
    return nativeRequire("koffi") as typeof Koffi;
  }
}

function bindKoffi(): Binding {
  const koffi = loadKoffi();
  const libc = koffi.load(null);
  const raw = libc.func("syscall", "long", ["long", "long", "long", "long", "long", "long", "long"]) as (
    ...args: number[]
  ) => number;
  const memchr = libc.func("memchr", "ulong", ["void *", "int", "size_t"]) as (...args: unknown[]) => number;
  return {
    name: "koffi",
    // eslint-disable-next-line @typescript-eslint/max-params -- as above
    syscall(nr, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0) {
      const result = raw(nr, a, b, c, d, e, f);
      return result === -1 ? -koffi.errno() : result;
    },
    addressOf: (buffer) => memchr(buffer, buffer[0] ?? 0, 1),
  };
}

function tryKoffi(): Binding | undefined {
  try {
    return bindKoffi();
  } catch (cause) {
    if (process.env["XENOLITH_FFI"] === "koffi") {
      throw new VmmError("HOST_UNSUPPORTED", "Cannot load koffi, which XENOLITH_FFI asks for", {}, { cause });
    }
    // Where the main thread has it and a worker has not, both would use ffi-rs's unlocked table.
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    if (["EMFILE", "ENFILE", "ENOMEM"].includes(code)) {
      throw new VmmError("HOST_SYSCALL", `Cannot load koffi: ${code}${hintOf(code)}`, { code }, { cause });
    }
    return undefined;
  }
}

let opened: Libc | undefined;
let koffiBinding: Binding | undefined;

function koffiIfThere(): Binding | undefined {
  koffiBinding ??= process.env["XENOLITH_FFI"] === "ffi-rs" ? undefined : tryKoffi();
  return koffiBinding;
}

/** Loads the fast binding ahead of {@link openLibc}, in a thread that waits for something to do. */
export function preloadFast(): void {
  try {
    koffiIfThere();
  } catch {
    // Whoever opens libc is told.
  }
}

/**
 * Binds libc in this thread, as the actor called `actor`. The first call must come from the main thread, before a worker
 * uses it.
 */
export function openLibc(actor = "machine"): Libc {
  opened ??= bind();
  const plan = faultPlan();
  return plan === undefined ? opened : faultyLibc(opened, actor, plan);
}

function bind(): Libc {
  const choice = process.env["XENOLITH_FFI"] ?? "";
  if (!["", "ffi-rs", "koffi"].includes(choice)) {
    throw new VmmError("CONFIG", `Cannot use XENOLITH_FFI=${choice}: it must be ffi-rs or koffi`);
  }
  const koffi = koffiIfThere();
  const base = koffi ?? bindFfiRs();
  const fast = koffi ?? base;
  // Resolves both symbols in ffi-rs's shared table.
  base.syscall(SYS.getpid);
  base.addressOf(Buffer.alloc(1));
  return {
    fastBinding: fast.name,
    fast: fast.syscall,
    syscall: base.syscall,
    addressOf: (buffer) => base.addressOf(buffer),
  };
}

function hintOf(code: string): string {
  const hint = HINTS[code];
  return hint === undefined ? "" : ` (${hint})`;
}

/** The typed error of a failed call: `what` says what we were doing, `result` is -errno. */
export function syscallError(name: string, result: number, what: string): VmmError {
  const errno = -result;
  const code = errnoName(errno);
  return new VmmError("HOST_SYSCALL", `Cannot ${what}: ${name} failed with ${code}${hintOf(code)}`, {
    syscall: name,
    errno,
    code,
  });
}

/** `result`, or the typed error when it is one. */
export function checked(name: string, result: number, what: string): number {
  if (result < 0) throw syscallError(name, result, what);
  return result;
}

export { ERRNO, SYS };
