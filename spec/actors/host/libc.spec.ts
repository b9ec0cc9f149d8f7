import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { checked, ERRNO, openLibc, SYS, syscallError } from "../../../actors/host/libc.js";
import { allocate } from "../../../actors/host/host-memory.js";
import { errnoName } from "../../../actors/host/syscalls.js";
import { VmmError } from "../../../shared/errors.js";

/** Runs a module's text in a process of its own, with a binding chosen. */
function inProcess(ffi: string, source: string): string {
  const module = new URL("../../../actors/host/libc.js", import.meta.url);
  return execFileSync(
    process.execPath,
    ["--input-type=module", "-e", `import { openLibc, SYS } from ${JSON.stringify(module.href)};\n${source}`],
    { env: { ...process.env, XENOLITH_FFI: ffi }, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
  ).trim();
}

describe("openLibc()", () => {
  it("makes system calls", () => {
    const libc = openLibc();
    assert.equal(libc.syscall(SYS.getpid), process.pid);
    assert.equal(libc.fast(SYS.getpid), process.pid);
  });

  it("gives -errno for a call that fails", () => {
    const libc = openLibc();
    assert.equal(libc.syscall(SYS.close, -1), -ERRNO.EBADF);
    assert.equal(libc.fast(SYS.close, -1), -ERRNO.EBADF);
  });

  it("knows the address of shared memory: what the kernel writes there is seen", () => {
    const libc = openLibc();
    const memory = allocate(libc, 65_536);
    assert.equal(memory.hva % 4096, 0);
    const fd = libc.syscall(SYS.eventfd2, 5, 0);
    assert.equal(libc.fast(SYS.read, fd, memory.hva + 16, 8), 8);
    assert.equal(new DataView(memory.buffer).getBigUint64(16, true), 5n);
    libc.syscall(SYS.close, fd);
  });

  it("is one binding for a thread", () => {
    assert.equal(openLibc(), openLibc());
  });

  it("loads no binding that it does not use", () => {
    const source =
      "import { readFileSync } from 'node:fs'; const { fastBinding } = openLibc();" +
      "console.log(['ffi-rs', 'koffi'].filter((name) => readFileSync('/proc/self/maps', 'utf8').includes(`/${name}`)).join(), fastBinding);";
    const [loaded, used] = inProcess("", source).split(" ");
    assert.equal(loaded, used);
  });

  it("can be told to use ffi-rs for all", () => {
    const source =
      "const libc = openLibc(); console.log(libc.fastBinding, libc.fast(SYS.getpid) === process.pid, libc.fast(SYS.close, -1));";
    assert.equal(inProcess("ffi-rs", source), `ffi-rs true ${-ERRNO.EBADF}`);
  });

  it("refuses a binding that there is not", () => {
    const source = "try { openLibc(); } catch (error) { console.log(error.code, error.message); }";
    assert.equal(inProcess("dlopen", source), "CONFIG Cannot use XENOLITH_FFI=dlopen: it must be ffi-rs or koffi");
  });
});

describe("checked()", () => {
  it("passes results on", () => {
    assert.deepEqual([checked("read", 0, "read"), checked("read", 7, "read")], [0, 7]);
  });

  it("throws an error with call, errno name and hint", () => {
    assert.throws(
      () => checked("open", -ERRNO.EMFILE, "open the image"),
      (error: unknown) => {
        assert(error instanceof VmmError);
        assert.equal(error.code, "HOST_SYSCALL");
        assert.deepEqual(error.details, { syscall: "open", errno: 24, code: "EMFILE" });
        assert.match(error.message, /^Cannot open the image: open failed with EMFILE \(raise the limit on open files/);
        return true;
      },
    );
  });

  it("has words for an errno that is not in the table, too", () => {
    assert.match(syscallError("ioctl", -133, "do it").message, /^Cannot do it: ioctl failed with errno 133$/);
    assert.equal(errnoName(2), "ENOENT");
  });
});
