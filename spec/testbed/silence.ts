/** Gives up on a VMM that has fallen silent, once it has been seen what its threads wait for. */
import type { Testbed } from "./testbed.js";

export interface SilenceWatch extends Disposable {
  /** Aborted at the end of a silence. */
  readonly signal: AbortSignal;
  /** What the VMM's threads and its guest's vCPUs did then; empty before. */
  readonly threads: string;
  /** To be called at every sound. */
  readonly broken: () => void;
}

/** How long a look may take. */
const LOOK_MS = 20_000;
/**
 * What KVM says of a second: how often its vCPUs left their guests, why, and where in the guest. A vCPU that is busy may run
 * its guest, come back to one instruction again and again, or be in the VMM.
 */
const EXITS = `mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
  cd /sys/kernel/tracing && echo 1 >events/kvm/kvm_exit/enable && sleep 1 && echo 0 >events/kvm/kvm_exit/enable
  echo "$(grep -c kvm_exit trace) exits in a second, the last of them:"
  tail -n 12 trace 2>&1`;

/**
 * Whether the host itself is well: each of its processors should count timer interrupts, and no timer of KVM's for a guest of
 * Xen should be overdue ("expires at … [in … to … nsecs]").
 */
const HOST = `grep -E "^ *(CPU|LOC|RES):?" /proc/interrupts; sleep 1; grep LOC /proc/interrupts
  grep -E "^(now|cpu)" /proc/timer_list; grep -A1 xen_timer /proc/timer_list; dmesg | tail -n 5`;

/** What the VMM's own monitor says, ours and the peer's alike: events first, as a look at the registers holds the guest. */
const MONITOR = `python3 - <<'END'
import glob, socket
for path in glob.glob("/tmp/*.monitor"):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(3)
    try:
        client.connect(path)
        client.sendall(b"info status\\nxen-event-list\\ninfo registers\\n")
        while True:
            print(client.recv(65536).decode("latin1").replace("\\r", ""), end="")
    except OSError as error:
        print(path, error)
END`;

/** A line for each thread: name, state, ticks in user and kernel mode, and what it waits for in the kernel. */
function threadsOf(program: string): string {
  const show = 'echo "$(cat comm) $(cut -d" " -f3,14,15 stat) $(cat wchan) $(cat syscall)"';
  // grep itself is among what it finds, and gone by then
  return `for cmdline in $(grep -l '${program}' /proc/[0-9]*/cmdline); do
    for task in $(dirname $cmdline)/task/[0-9]*; do [ -d $task ] && cd $task && ${show}; done
  done 2>&1`;
}

/** Starts to listen. `program` is a word of the VMM's command line. */
export function watchSilence(testbed: Testbed, program: string, limitMs: number): SilenceWatch {
  const giveUp = new AbortController();
  let threads = "";
  const look = async (): Promise<void> => {
    // Twice, as ticks that grow tell a thread that works from one that is stuck
    for (const command of [threadsOf(program), threadsOf(program), EXITS, HOST, MONITOR]) {
      const { stdout } = await testbed.run(command, { timeoutMs: LOOK_MS });
      threads += `${stdout}\n`;
    }
  };
  const timer = setTimeout(() => {
    void look()
      .catch((cause: unknown) => {
        threads += String(cause);
      })
      .finally(() => {
        giveUp.abort();
      });
  }, limitMs);
  return {
    signal: giveUp.signal,
    get threads() {
      return threads;
    },
    broken: () => {
      timer.refresh();
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
    },
  };
}
