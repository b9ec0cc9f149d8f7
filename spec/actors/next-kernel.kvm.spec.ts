/**
 * The userspace transport and a kernel that another one has started (kexec): it has no hypercall page, and EFER is as it
 * wants it. Its hypercall functions are found by its first write of GS's base.
 */
import assert from "node:assert/strict";
import { machines, smallGuest } from "../support/machines.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { SPIN, tinyGuest } from "../support/tiny-guest.js";

/** Where the functions lie in the image, which starts at 1 MiB. */
const FUNCTIONS = 0x80;
/** Of RAM, by the code: the hypercall page, struct sched_shutdown, the stack. */
const CODE = [
  ...[0xbc, 0x00, 0x30, 0x20, 0x00], // mov esp, 0x203000
  ...[0xb9, 0x00, 0x00, 0x00, 0x40, 0xb8, 0x00, 0x00, 0x20, 0x00, 0x31, 0xd2, 0x0f, 0x30], // wrmsr 0x40000000, 0x200000
  ...[0xc7, 0x05, 0x00, 0x10, 0x20, 0x00, 0x05, 0x00, 0x00, 0x00], // mov [0x201000], SHUTDOWN_soft_reset
  ...[0xbb, 0x02, 0x00, 0x00, 0x00, 0xb9, 0x00, 0x10, 0x20, 0x00], // mov ebx, SCHEDOP_shutdown; mov ecx, 0x201000
  ...[0xb8, 0xa0, 0x03, 0x20, 0x00, 0xff, 0xd0], // call entry 29 of the page
  ...[0xb9, 0x01, 0x01, 0x00, 0xc0, 0x31, 0xc0, 0x31, 0xd2, 0x0f, 0x30], // wrmsr GS_BASE, 0
  ...[0xb8, 0x11, 0x00, 0x00, 0x00, 0x31, 0xdb, 0x31, 0xc9], // mov eax, xen_version; ebx: XENVER_version
  ...[0xba, FUNCTIONS, 0x00, 0x10, 0x00, 0xff, 0xd2], // call vmcall
  ...[0xc1, 0xe8, 0x10, 0x04, 0x30, 0x66, 0xba, 0xf8, 0x03, 0xee], // out COM1, '0' + major
  ...SPIN,
];
const VMCALL_RET = [0x0f, 0x01, 0xc1, 0xc3];
const VMMCALL_RET = [0x0f, 0x01, 0xd9, 0xc3];

function image(): Uint8Array {
  const bytes = new Array<number>(FUNCTIONS + 32).fill(0);
  for (const [at, part] of [
    [0, CODE],
    [FUNCTIONS, VMCALL_RET],
    [FUNCTIONS + 16, VMMCALL_RET],
  ] as const) {
    bytes.splice(at, part.length, ...part);
  }
  return tinyGuest(bytes);
}

describe("A kernel that another one has started", function () {
  this.timeout(20_000);
  const { create } = machines();
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this);
  });

  it("reaches Xen by its own vmcall, though it writes no EFER", async () => {
    assert(CODE.length <= FUNCTIONS);
    const kernel = folder.file("next.elf", image());
    const { machine, waitFor } = await create(smallGuest("", { boot: { kernel } }));
    await machine.start();
    await waitFor("serial0", "4");
  });
});
