/**
 * What only a Xen guest can be asked for, and does through xenstore and SCHEDOP_shutdown: to suspend itself, to give
 * memory back; and the soft reset that a guest does to itself before it starts another kernel (kexec).
 *
 * [SCHED] xen.git xen/include/public/sched.h (SHUTDOWN_suspend, SHUTDOWN_soft_reset); [PATHS] docs/misc/xenstore-paths
 */
import { VmmError } from "../shared/errors.js";
import type { Log } from "../shared/log.js";
import type { PortStatus } from "../xen/port-list.js";
import type { Lifecycle } from "./lifecycle.js";
import type { DeviceApi, VcpuApi } from "./protocol.js";

/** SCHEDOP_shutdown's answers to a guest that comes back from SHUTDOWN_suspend. */
export const SuspendAnswer = {
  /** It is in a new domain: all that it had set up with Xen is gone. */
  restored: 0,
  /** Nothing has happened to it. */
  cancelled: 1,
} as const;

export interface XenControlHost {
  readonly log: Log;
  readonly lifecycle: Lifecycle;
  readonly ended: Promise<unknown>;
  devices(): Pick<
    DeviceApiCalls,
    "release" | "powerOn" | "askShutdown" | "setMemoryTarget" | "eventPorts" | "injectEvent"
  >;
  vcpus(): readonly Pick<VcpuApiCalls, "softReset" | "answerHypercall">[];
}

/** As Comlink shows them. */
type Calls<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
};
type DeviceApiCalls = Calls<DeviceApi>;
type VcpuApiCalls = Calls<VcpuApi>;

const KIB = 1024;

function ofXen<T>(answer: T | undefined): T {
  if (answer !== undefined) return answer;
  throw new VmmError("CONFIG", "The guest has no event channels: Xen is not switched on (xen-version)");
}

export class XenControl {
  readonly #host: XenControlHost;
  #suspended: (() => void)[] = [];

  constructor(host: XenControlHost) {
    this.#host = host;
  }

  /**
   * Asks the guest to suspend itself and resolves when it has.
   *
   * @throws VmmError STATE when its kernel does not say that it can, or the machine ends instead
   */
  async suspend(): Promise<void> {
    const done = new Promise<"suspended">((resolve) => {
      this.#suspended.push(() => {
        resolve("suspended");
      });
    });
    if (!(await this.#host.devices().askShutdown("suspend"))) {
      throw new VmmError(
        "STATE",
        "Cannot suspend the guest: its kernel has not said that it can (control/feature-suspend)",
      );
    }
    if ((await Promise.race([done, this.#host.ended])) !== "suspended") {
      throw new VmmError("STATE", "The machine ended before its guest had suspended itself");
    }
  }

  /** The guest has called SHUTDOWN_suspend, and its vCPUs are at rest. */
  arrived(): void {
    if (this.#suspended.length === 0)
      this.#host.log.warn("the guest has suspended itself, and rests until it is resumed");
    for (const resolve of this.#suspended.splice(0)) resolve();
  }

  /** Prepares a suspended guest to go on. With vCPUs at rest. */
  async wake(answer: number): Promise<void> {
    if (answer === SuspendAnswer.restored) await this.softReset();
    const { vcpu } = this.#host.lifecycle;
    await this.#host.vcpus()[vcpu]?.answerHypercall(answer);
  }

  /** Everything that the guest had set up with Xen goes; its memory, vCPUs and emulated devices stay. vCPUs are at rest. */
  async softReset(): Promise<void> {
    await this.#host.devices().release("soft");
    this.#host.lifecycle.devicesReady = false;
    for (const vcpu of this.#host.vcpus()) await vcpu.softReset();
    await this.#host.devices().powerOn();
  }

  /** Sets what the guest's balloon driver aims at, in bytes. */
  async setMemoryTarget(bytes: number): Promise<void> {
    await this.#host.devices().setMemoryTarget(Math.floor(bytes / KIB));
  }

  /** @throws VmmError CONFIG when the guest is no Xen guest */
  async eventPorts(): Promise<readonly PortStatus[]> {
    return ofXen(await this.#host.devices().eventPorts());
  }

  /** False when there is no such port. @throws VmmError as {@link eventPorts} */
  async injectEvent(port: number): Promise<boolean> {
    return ofXen(await this.#host.devices().injectEvent(port));
  }
}
