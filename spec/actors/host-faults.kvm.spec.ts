/**
 * Whatever the host refuses in the course of a machine's life, and whenever: the life goes on unharmed, or ends with one
 * clear report, and nothing is left behind. docs/reliability.md says which call does which.
 *
 * By default each kind of call fails once, the first time. `XENOLITH_SWEEP=N` has each fail with every error, at N places
 * at most that are spread evenly over the life, and `XENOLITH_SWEEP=full` every call that the life makes, with one of the
 * errors, in turns: that takes a quarter of an hour.
 */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { CALLS } from "../../actors/host/faults.js";
import type { Fault, PlannedFault } from "../../actors/host/faults.js";
import type { MachineConfig } from "../../shared/config.js";
import { VmmError } from "../../shared/errors.js";
import { FILE_CALLS, failAllocation, failFileCall, failThreadStart } from "../support/node-faults.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { lifeConfig, lifeDisk, THREADS, wholeLife } from "../support/whole-life.js";
import type { Life } from "../support/whole-life.js";

/** asm-generic/errno-base.h */
const ERRNO = { EINTR: 4, EIO: 5, EAGAIN: 11, ENOMEM: 12, EFAULT: 14, ENOSPC: 28 } as const;
type ErrnoName = keyof typeof ERRNO;

const SWEEP = process.env["XENOLITH_SWEEP"];
const FULL = SWEEP === "full";
/** At how many places at most a kind of call fails. */
const PLACES = SWEEP === undefined ? 1 : FULL ? Infinity : Number(SWEEP);
/** So many calls of Node's fail one after the other by default; those of the first start are among them. */
const FIRST = 8;
const WHOLE = "life 1\nlife 2\n";
/** What the guest says when its disk answers with an error, and nothing else is wrong. */
const DISK_ERROR = /^(life 1\n)?wrong: (reading|writing|flushing) \(-1\)\n$/;
/** Calls that a signal may interrupt: they are made again. */
const INTERRUPTIBLE = /^(KVM_.*|ppoll|preadv|pwritev|fdatasync|read|write)$/;

/** Which of a life's `count` calls of a kind fail, each in a life of its own: the first is always among them. */
function places(count: number): readonly number[] {
  const most = Math.min(count, PLACES);
  return Array.from({ length: most }, (_, place) => 1 + Math.floor((place * count) / most));
}

function errno(name: ErrnoName): Fault {
  return { kind: "errno", errno: ERRNO[name] };
}

function isClear(error: unknown, name: ErrnoName): boolean {
  return (
    error instanceof VmmError &&
    ["HOST_SYSCALL", "HOST_UNSUPPORTED", "ACTOR_FAILED"].includes(error.code) &&
    !error.message.includes("\n") &&
    error.message.includes(`failed with ${name}`)
  );
}

function isLocked(error: unknown): boolean {
  return (
    error instanceof VmmError && error.code === "CONFIG" && error.message.includes("another process has locked it")
  );
}

/** What is wrong with how a life went whose `planned` call failed; undefined when all is as documented. */
function problem(life: Life, planned: PlannedFault, name: ErrnoName): string | undefined {
  const { end, text } = life;
  const released = planned.thread === "machine" && planned.call === "mmap" && life.disposal instanceof VmmError;
  if (life.disposal !== undefined && !released) return `disposing failed: ${inspect(life.disposal)}`;
  if (life.left.length > 0 && !released) return `left behind: ${life.left.join(", ")}`;
  switch (end.kind) {
    case "poweroff":
      if (text === WHOLE || (planned.thread === "disk0" && DISK_ERROR.test(text))) return undefined;
      return `the guest said ${JSON.stringify(text)}`;
    case "refused":
    case "failed":
      // How the host says that another has the lock
      if (planned.call === "fcntl" && name === "EAGAIN" && isLocked(end.error)) return undefined;
      if (name === "EINTR" && INTERRUPTIBLE.test(planned.call)) return `not made again: ${String(end.error)}`;
      return isClear(end.error, name) ? undefined : `unclear: ${String(end.error)}`;
    default:
      return `it ended by ${end.kind}`;
  }
}

/** The same when it was a call of Node's, which may be one that nothing depends on. */
function ownProblem({ end, text, left, disposal }: Life): string | undefined {
  if (left.length > 0) return `left behind: ${left.join(", ")}`;
  if (disposal !== undefined) {
    return disposal instanceof VmmError && text === WHOLE ? undefined : `disposing failed: ${inspect(disposal)}`;
  }
  if (end.kind === "poweroff") return text === WHOLE ? undefined : `the guest said ${JSON.stringify(text)}`;
  if (end.kind !== "refused" && end.kind !== "failed") return `it ended by ${end.kind}`;
  const clear = end.error instanceof VmmError && !end.error.message.includes("\n");
  return clear ? undefined : `unclear: ${String(end.error)}`;
}

describe("A machine whose host fails", function () {
  this.timeout(SWEEP === undefined ? 600_000 : 0);
  const folder = temporaryFolder();

  before(async function () {
    assert(PLACES >= 1, `XENOLITH_SWEEP is "full" or a number of places, not "${SWEEP}"`);
    requireKvm(this, "life.elf");
    // Once before anything is counted: the bindings and Node's pools open what they keep for good.
    await life();
  });

  async function life(planned?: PlannedFault): Promise<Life> {
    return wholeLife(freshConfig(), planned);
  }

  function freshConfig(): MachineConfig {
    return lifeConfig(folder.file("life.img", lifeDisk()));
  }

  /** Every kind of call that `thread` makes fails in a life of its own; gives what was not as documented. */
  async function sweep(thread: string, names: readonly ErrnoName[]): Promise<readonly string[]> {
    const usual = await life();
    assert.equal(usual.text, WHOLE);
    const problems: string[] = [];
    for (const call of CALLS) {
      for (const nth of places(usual.count(thread, call))) {
        for (const name of FULL ? names.filter((_, index) => index === nth % names.length) : names) {
          const planned = { thread, call, nth, times: 1, fault: errno(name) };
          const found = problem(await life(planned), planned, name);
          if (found !== undefined) problems.push(`${call} #${nth} ${name}: ${found}`);
        }
      }
    }
    return problems;
  }

  const all = Object.keys(ERRNO) as readonly ErrnoName[];
  /** [whose calls fail, with which error by default: one that such calls give] */
  for (const [thread, name] of [
    ["machine", "ENOMEM"],
    ["vcpu0", "EFAULT"],
    ["devices", "ENOMEM"],
    ["disk0", "EIO"],
  ] as const) {
    it(`survives or tells clearly, whatever call of ${thread}'s fails`, async () => {
      assert(THREADS.includes(thread));
      assert.deepEqual(await sweep(thread, SWEEP === undefined ? [name] : all), []);
    });
  }

  /** Node's own calls: [what fails, with a failure at its n-th time] */
  const OWN: readonly (readonly [string, (nth: number) => ReturnType<typeof failThreadStart>])[] = [
    ...FILE_CALLS.map((name) => [name, (nth: number) => failFileCall(name, nth, "EIO")] as const),
    ["the start of a thread", failThreadStart],
    ["an allocation of shared memory", failAllocation],
  ];
  for (const [what, fail] of OWN) {
    it(`tells clearly whichever time ${what} fails`, async () => {
      const config = freshConfig();
      const usual = fail(0);
      const { text } = await wholeLife(config).finally(usual.restore);
      assert.equal(text, WHOLE);
      assert(usual.calls > 0, "a machine does not do it");
      const problems: string[] = [];
      for (let nth = 1; nth <= (SWEEP === undefined ? Math.min(usual.calls, FIRST) : usual.calls); nth++) {
        const again = freshConfig();
        const failing = fail(nth);
        const found = ownProblem(await wholeLife(again).finally(failing.restore));
        if (found !== undefined) problems.push(`#${nth}: ${found}`);
      }
      assert.deepEqual(problems, []);
    });
  }

  it("tells of the thread that failed, not of one that it told to end", async () => {
    // The ring by which the device actor tells the disk's that the guest has connected to it
    const planned = { thread: "devices", call: "write", nth: 3, times: 1, fault: errno("ENOMEM") };
    for (let round = 0; round < 8; round++) {
      const { end } = await life(planned);
      assert(end.kind === "failed" && end.error instanceof VmmError);
      assert.match(end.error.message, /^The devices thread failed: Cannot ring an eventfd: write failed with ENOMEM/);
    }
  });

  /** [whose call, which, from which on, what becomes of it, what the guest says] */
  const CASES: readonly (readonly [string, string, number, Fault, string])[] = [
    ["vcpu0", "KVM_RUN", 5, errno("EINTR"), WHOLE],
    ["vcpu0", "KVM_RUN", 5, errno("EAGAIN"), WHOLE],
    ["machine", "KVM_CREATE_VM", 1, errno("EINTR"), WHOLE],
    ["devices", "ppoll", 3, errno("EINTR"), WHOLE],
    ["disk0", "ppoll", 2, errno("EINTR"), WHOLE],
    ["disk0", "fdatasync", 1, errno("EINTR"), WHOLE],
    ["disk0", "preadv", 1, errno("EINTR"), WHOLE],
    ["disk0", "preadv", 1, { kind: "short" }, WHOLE],
    ["disk0", "pwritev", 1, { kind: "short" }, WHOLE],
    ["disk0", "pwritev", 1, errno("ENOSPC"), "wrong: writing (-1)\n"],
    ["disk0", "preadv", 2, errno("EIO"), "life 1\nwrong: reading (-1)\n"],
    ["disk0", "fdatasync", 2, errno("EIO"), "life 1\nwrong: flushing (-1)\n"],
    ["disk0", "pwritev", 1, { kind: "slow", ms: 1500 }, WHOLE],
  ];
  for (const [thread, call, nth, fault, expected] of CASES) {
    const what = fault.kind === "errno" ? `errno ${fault.errno}` : fault.kind;
    it(`goes on after ${call} of ${thread}: ${what}`, async () => {
      const { end, text, left, disposal, count } = await life({ thread, call, nth, times: 1, fault });
      assert(count(thread, call) >= nth, "the call was not made");
      assert.deepEqual(
        { end, text, left, disposal },
        { end: { kind: "poweroff" }, text: expected, left: [], disposal: undefined },
      );
    });
  }
});
