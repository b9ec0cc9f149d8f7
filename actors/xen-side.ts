/** The Xen half of the device actor: xenstore, the PV console, and the PV disks' control sides. */
import { gfnToGpa, PAGE_SIZE } from "../shared/brand.js";
import { VmmError } from "../shared/errors.js";
import { CONSOLE_GFN, XEN_SPECIAL_BASE, XENSTORE_GFN } from "../shared/layout.js";
import type { MemoryRegion } from "../shared/memory.js";
import { ConsoleRing } from "../devices/xen-console/console-ring.js";
import { writeDomainNodes } from "../xen/xenstore/domain-nodes.js";
import { GuestStoreRing } from "../xen/xenstore/guest-ring.js";
import { domainPath } from "../xen/xenstore/path.js";
import { XenStore } from "../xen/xenstore/store.js";
import { DiskControl } from "./disk-control.js";
import type { DiskLink } from "./disk-link.js";
import type { XenDiskEvent } from "./disk-protocol.js";
import type { DeviceWorkerInit, ShutdownRequest } from "./protocol.js";
import type { MachineThread, XenParts } from "./thread.js";
import { storeTrace } from "./trace.js";

/** Bytes of PV console output that xenconsoled would keep; we keep what fits in the rings. */
const CONSOLE_LIMIT = 16 * 1024;
const KIB = 1024;

export interface XenSideParts {
  readonly init: DeviceWorkerInit;
  readonly links: readonly DiskLink[];
}

export class XenSide {
  readonly console: ConsoleRing;
  readonly #thread: MachineThread;
  readonly #parts: XenParts;
  readonly #store = new XenStore(storeTrace());
  readonly #ring: GuestStoreRing;
  readonly #consolePage: MemoryRegion;
  /** By disk; undefined for those that are not PV ones. */
  readonly #disks: readonly (DiskControl | undefined)[];

  constructor(thread: MachineThread, parts: XenParts, { init, links }: XenSideParts) {
    this.#thread = thread;
    this.#parts = parts;
    const { domain } = parts;
    const page = specialPage(thread, gfnToGpa(XENSTORE_GFN));
    this.#consolePage = specialPage(thread, gfnToGpa(CONSOLE_GFN));
    const at = gfnToGpa(XENSTORE_GFN) - XEN_SPECIAL_BASE;
    this.#ring = new GuestStoreRing(page.bytes.subarray(at, at + PAGE_SIZE), this.#store, thread.config.xenDomid, {
      log: thread.log,
      notify: () => {
        thread.notifyGuest(domain.storePort);
      },
    });
    this.console = new ConsoleRing({
      ...thread.pvConsole,
      notify: () => {
        thread.notifyGuest(domain.consolePort);
      },
      log: thread.log,
    });
    const client = this.#store.client();
    this.#disks = links.map((link, index) => {
      const disk = init.disks[index]?.disk;
      const isXen = thread.config.disks[index]?.attach.kind === "xen";
      return isXen && disk !== undefined ? new DiskControl({ thread, domain, store: client, link, disk }) : undefined;
    });
  }

  powerOn(): void {
    const { config } = this.#thread;
    const { domain } = this.#parts;
    this.#store.reset();
    this.#ring.reset();
    this.console.detach();
    this.#consolePage.bytes.fill(0, 0, PAGE_SIZE);
    this.console.attach(this.#consolePage, gfnToGpa(CONSOLE_GFN) - XEN_SPECIAL_BASE);
    writeDomainNodes(this.#store.client(), {
      domid: config.xenDomid,
      name: config.name,
      uuid: config.uuid,
      vcpus: config.vcpus.maxCpus,
      onlineVcpus: config.vcpus.count,
      memoryKiB: config.memoryBytes / KIB,
      videoRamKiB: 0,
      store: { frame: XENSTORE_GFN, port: domain.storePort },
      console: { frame: CONSOLE_GFN, port: domain.consolePort, limit: CONSOLE_LIMIT, output: config.xenConsole.kind },
      // That it can suspend itself, the guest says.
      features: ["poweroff", "reboot"],
    });
    this.#store.introduce(config.xenDomid);
    for (const disk of this.#disks) disk?.start();
    this.#store.dispatch();
  }

  /** Writes a request to control/shutdown; false when the guest's kernel has not announced that it understands it. */
  askShutdown(request: ShutdownRequest): boolean {
    const control = `${domainPath(this.#thread.config.xenDomid)}/control`;
    const client = this.#store.client();
    if (client.readNumber(`${control}/feature-${request}`) !== 1) return false;
    client.write(`${control}/shutdown`, request);
    this.#store.dispatch();
    return true;
  }

  setMemoryTarget(kib: number): void {
    this.#store.client().write(`${domainPath(this.#thread.config.xenDomid)}/memory/target`, kib);
    this.#store.dispatch();
  }

  /** A message of a PV disk's actor. */
  diskEvent(index: number, event: XenDiskEvent): void {
    this.#disks[index]?.handle(event);
  }

  /** Serves what the guest has for us; true when there is more. */
  poll(): boolean {
    this.console.pump();
    const more = this.#ring.process();
    this.#store.dispatch();
    return more;
  }

  /** Gives the guest's rings back: after it the guest's memory is nobody's. */
  async release(reset: "full" | "soft"): Promise<void> {
    await Promise.all(this.#disks.flatMap((disk) => (disk === undefined ? [] : [disk.release()])));
    // What lies under the guest's overlay pages comes back now, before the next kernel is put there.
    if (reset === "full") this.#parts.domain.reset();
    else this.#parts.domain.softReset();
  }
}

function specialPage(thread: MachineThread, at: number): MemoryRegion {
  const region = thread.memory.region(at, PAGE_SIZE);
  if (region === undefined) throw new VmmError("STATE", "Xen's special pages are not part of the guest's memory");
  return region;
}
