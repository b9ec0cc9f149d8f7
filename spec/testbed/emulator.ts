/**
 * The program that emulates the testbed's processor: a QEMU newer than the peer, in a tree of its own, mended so that it
 * delivers interrupts once.
 *
 * Newer, as QEMU 10.0 loses interrupts: it takes the bit of a virtual interrupt out of `interrupt_request` at each #VMEXIT by
 * reading and writing the word without a lock, while another thread sets the bit of a real one there.
 *
 * QEMU up to 11.1 at least, when it emulates SVM, remembers the vector of an interrupt that a hypervisor injects by VMRUN
 * (`exception_index`) and delivers it, but does not forget it. When its loop is left before the guest's first instruction,
 * as it often is while the host has much to do, it delivers the same vector again, as an exception: with interrupts
 * closed, on top of the first. A Linux that was in user mode then runs its handler with the user's GS and panics
 * ("ENTRY_TRAMPOLINE stack guard page was hit"), whichever VMM it runs under. No such processor exists, so the store is
 * taken out. A QEMU in which it cannot be found is used as it is.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "./cache.js";
import { APT_OPTIONS, buildDebianTree, DPKG_OPTIONS, EXTRACT_HOOKS } from "./debian-tree.js";
import type { Log } from "./host-command.js";

/** A QEMU with all that it needs, on the host. */
export interface Emulator {
  /** The Debian tree that it is in. */
  readonly root: string;
  /** Its path there. */
  readonly program: string;
}

const SUITE = "forky";
const PACKAGES = ["qemu-system-x86", "seabios"];
const PROGRAM = "usr/bin/qemu-system-x86_64";
/** The end of helper_vmrun's case SVM_EVTINJ_TYPE_INTR, as gcc makes it; `.` is a byte of an offset or address. */
const INJECTION =
  // mov %esi, exception_index(%rbx)
  "\x89\xb3.{4}" +
  // movl $0, exception_is_int(%rbx); movq $-1, exception_next_eip(%rbx)
  "\xc7\x83.{4}\0{4}\x48\xc7\x83.{4}\xff{4}" +
  // testb $2, qemu_loglevel; jne
  "\xf6\x05.{4}\x02\x0f\x85.{4}" +
  // mov $1, %edx; mov %rbx, %rdi; call do_interrupt_x86_hardirq
  "\xba\x01\0{3}\x48\x89\xdf\xe8";
/** An instruction of six bytes that does nothing, in place of the first of the above. [SDM] volume 2, table 4-12 */
const NOP6 = Uint8Array.of(0x66, 0x0f, 0x1f, 0x44, 0, 0);

/** The emulator, made first if it is not in the cache. @throws TestbedError */
export async function ensureEmulator(log: Log): Promise<Emulator> {
  const key = createHash("sha256")
    .update(JSON.stringify([SUITE, PACKAGES, EXTRACT_HOOKS, APT_OPTIONS, DPKG_OPTIONS, INJECTION]))
    .digest("hex");
  const directory = await cached(`emulator-${key.slice(0, 16)}`, async (partial) => {
    log("testbed: fetching its emulator (once)");
    const root = join(partial, "root");
    await buildDebianTree({ suite: SUITE, variant: "extract", packages: PACKAGES, hooks: EXTRACT_HOOKS }, root, {
      log,
    });
    const mended = withoutSecondInjection(await readFile(join(root, PROGRAM)));
    if (mended === undefined) log("testbed: its QEMU may deliver an interrupt twice: Linux guests may panic");
    else await writeFile(join(root, PROGRAM), mended);
  });
  return { root: join(directory, "root"), program: PROGRAM };
}

/** A copy of the program without the store; undefined when that is not there exactly once. */
export function withoutSecondInjection(program: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(program.buffer, program.byteOffset, program.byteLength).toString("latin1");
  const [first, ...more] = text.matchAll(new RegExp(INJECTION, "gs"));
  if (first === undefined || more.length > 0) return undefined;
  const mended = Uint8Array.from(program);
  mended.set(NOP6, first.index);
  return mended;
}
