/** Errors as the launcher prints them: one line for what a person can act on, the stack only for our own bugs. */
import { codeOf } from "./exit-codes.js";
import { UsageError, didYouMean } from "./usage.js";

/** Fields of the configuration with the option that sets them; the first row that is a beginning of the path counts. */
const OPTION_OF_FIELD: readonly (readonly [path: RegExp, option: string])[] = [
  [/^machine$/, "--machine"],
  [/^name$/, "--name"],
  [/^uuid$/, "--uuid"],
  [/^memoryBytes$/, "-m"],
  [/^vcpus\.count$/, "--smp cpus"],
  [/^vcpus\.maxCpus$/, "--smp maxcpus"],
  [/^vcpus\.(\w+)$/, "--smp $1"],
  [/^vcpus$/, "--smp"],
  [/^accel\.xenVersion$/, "--accel xen-version"],
  [/^accel\.irqchip$/, "--accel kernel-irqchip"],
  [/^accel\.transport$/, "--accel xen-transport"],
  [/^accel\.evtchnMaxPirq$/, "--accel xen-evtchn-max-pirq"],
  [/^accel\.gnttabMaxFrames$/, "--accel xen-gnttab-max-frames"],
  [/^accel\b.*$/, "--accel"],
  [/^xenDomid$/, "--xen-domid"],
  [/^cpu\.features\.(.*)$/, "--cpu $1"],
  [/^cpu\.hyperv\.([a-z].*)$/, "--cpu hv-$1"],
  [/^cpu\.hypervSpinlocks$/, "--cpu hv-spinlocks"],
  [/^cpu\b.*$/, "--cpu"],
  [/^boot\.kernel$/, "--kernel"],
  [/^boot\.initrd$/, "--initrd"],
  [/^boot\.cmdline$/, "--append"],
  [/^boot\.bios$/, "--bios"],
  [/^boot\.menuTimeoutMs$/, "--boot splash-time"],
  [/^boot\.retryMs$/, "--boot reboot-timeout"],
  [/^boot\.(\w+)$/, "--boot $1"],
  [/^disks\.\d+\.attach\.vdev$/, "--device vdev"],
  [/^disks\.\d+\.attach$/, "--drive"],
  [/^disks\.\d+\.attach\.slot$/, "--device addr"],
  [/^disks\.\d+\.serial$/, "--device serial"],
  [/^disks\.\d+\.bootIndex$/, "--device bootindex"],
  [/^disks\.\d+\.path$/, "--drive file"],
  [/^disks\.\d+\.readOnly$/, "--drive readonly"],
  [/^disks\.\d+\.locking$/, "--drive file.locking"],
  [/^disks\.\d+\.(\w+)$/, "--drive $1"],
  [/^disks\b.*$/, "--drive"],
  [/^nets\.\d+\.backend\.hostForwards\b.*$/, "--netdev hostfwd"],
  [/^nets\.\d+\.backend\.reconnectMs$/, "--netdev reconnect-ms"],
  [/^nets\.\d+\.backend\.path$/, "--netdev addr.path"],
  [/^nets\.\d+\.backend\.(local|remote)$/, "--netdev $1.path"],
  [/^nets\.\d+\.backend\.(\w+)$/, "--netdev $1"],
  [/^nets\.\d+\.model\.slot$/, "--device addr"],
  [/^nets\.\d+\.bootIndex$/, "--device bootindex"],
  [/^nets\.\d+\.(\w+)$/, "--device virtio-net-pci $1"],
  [/^nets\b.*$/, "--device virtio-net-pci"],
  [/^devices\.\d+\.slot$/, "--device addr"],
  [/^devices\b.*$/, "--device"],
  [/^serials\.\d+\.path$/, "--serial path"],
  [/^serials\b.*$/, "--serial"],
  [/^xenConsole\b.*$/, "--device xen-console"],
  [/^debugExit\.(\w+)$/, "--device isa-debug-exit $1"],
  [/^debugcon\b.*$/, "--debugcon"],
  [/^rtc\b.*$/, "--rtc"],
  [/^log\.(\w+)$/, "--log $1"],
  [/^trace\b.*$/, "--trace"],
];

/** What to print after "xenolith: ". */
export function describeError(error: unknown): string {
  if (error instanceof UsageError) return oneLine(error.message);
  const code = codeOf(error);
  // A thread that died is our bug, and so is any error that nobody foresaw: the stack says where.
  if (!(error instanceof Error)) return oneLine(String(error));
  if (code === undefined || code === "ACTOR_FAILED") return stackOf(error);
  return oneLine(configLine(error) ?? (code === "HOST_SYSCALL" ? error.message + causeOf(error) : error.message));
}

/** Names the option in place of the field. */
function configLine(error: Error): string | undefined {
  if (!("details" in error) || typeof error.details !== "object" || error.details === null) return undefined;
  const { path, reason, given, known } = error.details as Readonly<Record<string, unknown>>;
  if (typeof path !== "string" || typeof reason !== "string") return undefined;
  const row = OPTION_OF_FIELD.find(([pattern]) => pattern.test(path));
  if (row === undefined) return undefined;
  // What could have been given, where the library knows.
  const hint = typeof given === "string" && typeof known === "string" ? didYouMean(given, known.split(" ")) : "";
  return `${path.replace(row[0], row[1])}: ${reason}${hint}`;
}

/** What the system said, where the message does not. */
function causeOf(error: Error): string {
  const { cause } = error;
  return cause instanceof Error && !error.message.includes(cause.message) ? `: ${cause.message}` : "";
}

function stackOf(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by: ${stackOf(error.cause)}` : own;
}

/** Names of files and options may hold any byte: none may forge a second line or drive the terminal. */
export function oneLine(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
