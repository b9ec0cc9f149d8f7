/**
 * The program that emulates the testbed's processor: a QEMU newer than the peer, in a tree of its own, mended so that it
 * delivers interrupts once and leaves PAE's page-directory pointers alone.
 *
 * Newer, as QEMU 10.0 loses interrupts: it takes the bit of a virtual interrupt out of `interrupt_request` at each #VMEXIT by
 * reading and writing the word without a lock, while another thread sets the bit of a real one there.
 *
 * QEMU up to 11.1 at least, when it emulates SVM, remembers the vector of an interrupt that a hypervisor injects by VMRUN
 * (`exception_index`) and delivers it, but does not forget it. When its loop is left before the guest's first instruction,
 * as it often is while the host has much to do, it delivers the same vector again, as an exception: with interrupts
 * closed, on top of the first. A Linux that was in user mode then runs its handler with the user's GS and panics
 * ("ENTRY_TRAMPOLINE stack guard page was hit"), whichever VMM it runs under. No such processor exists, so the store is
 * taken out.
 *
 * QEMU up to 11.1 at least sets the accessed bit in a page-directory pointer of PAE, where the bit is reserved ([SDM] volume 3,
 * table 4-8). A guest's write to CR4.PGE or the like has KVM check the four pointers; it finds the bit and answers with #GP: a
 * 32-bit Linux dies in setup_arch(). The branch around the store is taken always.
 *
 * A QEMU in which such a place cannot be found is used as it is there.
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
  /** Names of MENDS that it has been given. */
  readonly mends: ReadonlySet<string>;
}

const SUITE = "forky";
const PACKAGES = ["qemu-system-x86", "seabios"];
const PROGRAM = "usr/bin/qemu-system-x86_64";
/** File beside the tree with the names of its mends. */
const GIVEN = "mends";
/** An instruction of six bytes that does nothing. [SDM] volume 2, table 4-12 */
const NOP6 = [0x66, 0x0f, 0x1f, 0x44, 0, 0];

/** A place in the program as gcc makes it, and what comes there. */
interface Mend {
  /** Bytes; `.` is one of an offset or address. Must match once. */
  readonly pattern: string;
  /** Where in that the new bytes go. */
  readonly offset: number;
  readonly bytes: readonly number[];
  /** What happens in a program that is left alone. */
  readonly otherwise: string;
}

/** The end of helper_vmrun's case SVM_EVTINJ_TYPE_INTR; its first instruction goes. */
const SECOND_INJECTION: Mend = {
  pattern:
    // mov %esi, exception_index(%rbx)
    "\x89\xb3.{4}" +
    // movl $0, exception_is_int(%rbx); movq $-1, exception_next_eip(%rbx)
    "\xc7\x83.{4}\0{4}\x48\xc7\x83.{4}\xff{4}" +
    // testb $2, qemu_loglevel; jne
    "\xf6\x05.{4}\x02\x0f\x85.{4}" +
    // mov $1, %edx; mov %rbx, %rdi; call do_interrupt_x86_hardirq
    "\xba\x01\0{3}\x48\x89\xdf\xe8",
  offset: 0,
  bytes: NOP6,
  otherwise: "may deliver an interrupt twice: Linux guests may panic",
};

/** mmu_translate's third level of PAE, from the test of reserved bits on; its `jne` becomes `jmp`. */
const POINTER_ACCESS: Mend = {
  pattern:
    // mov rsvd_mask, %rax; or $(PG_NX_MASK | PG_HI_USER_MASK), %rax; test pte, %rax; jne do_fault_rsvd
    "\x48\x89\xd8\x4c\x09\xe8\x4c\x85\xc8\x0f\x85.{4}" +
    // test $PG_ACCESSED_MASK, pte; jne; mov haddr, %rdx
    "\x41\xf6\xc1\x20\x75.\x48\x8b\x94\\x24.{4}" +
    // mov pte, %r11d; or $PG_ACCESSED_MASK, %r11d
    "\x45\x89\xcb\x41\x83\xcb\x20",
  offset: 19,
  bytes: [0xeb],
  otherwise: "writes to PAE's page-directory pointers: 32-bit guests will not boot",
};

export const MENDS = { SECOND_INJECTION, POINTER_ACCESS };

/** The emulator, made first if it is not in the cache. @throws TestbedError */
export async function ensureEmulator(log: Log): Promise<Emulator> {
  const key = createHash("sha256")
    .update(JSON.stringify([SUITE, PACKAGES, EXTRACT_HOOKS, APT_OPTIONS, DPKG_OPTIONS, GIVEN, MENDS]))
    .digest("hex");
  const directory = await cached(`emulator-${key.slice(0, 16)}`, async (partial) => {
    log("testbed: fetching its emulator (once)");
    const root = join(partial, "root");
    await buildDebianTree({ suite: SUITE, variant: "extract", packages: PACKAGES, hooks: EXTRACT_HOOKS }, root, {
      log,
    });
    const program = await readFile(join(root, PROGRAM));
    const given: string[] = [];
    for (const [name, mend] of Object.entries(MENDS)) {
      if (mendProgram(program, mend)) given.push(name);
      else log(`testbed: its QEMU ${mend.otherwise}`);
    }
    await writeFile(join(root, PROGRAM), program);
    await writeFile(join(partial, GIVEN), given.join("\n"));
  });
  const mends = new Set((await readFile(join(directory, GIVEN), "utf8")).split("\n"));
  return { root: join(directory, "root"), program: PROGRAM, mends };
}

/** Changes the program; false, and nothing is changed, when the place is not there exactly once. */
export function mendProgram(program: Uint8Array, { pattern, offset, bytes }: Mend): boolean {
  const text = Buffer.from(program.buffer, program.byteOffset, program.byteLength).toString("latin1");
  const [first, ...more] = text.matchAll(new RegExp(pattern, "gs"));
  if (first === undefined || more.length > 0) return false;
  program.set(bytes, first.index + offset);
  return true;
}
