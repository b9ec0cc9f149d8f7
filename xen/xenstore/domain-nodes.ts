/**
 * The nodes that a toolstack gives a new domain: what the guest reads about itself, and where it may write.
 *
 * [PATHS] xen.git docs/misc/xenstore-paths.pandoc
 */
import type { DomId, EvtchnPort, Gfn } from "../../shared/brand.js";
import type { StoreClient, StoreNodes } from "./client.js";
import { domainPath } from "./path.js";

/** What a guest may be asked to do through control/shutdown. */
export type ControlFeature = "poweroff" | "reboot" | "suspend" | "s3" | "s4";

export interface DomainNodesConfig {
  readonly domid: DomId;
  readonly name: string;
  /** RFC 4122 form, lower case. */
  readonly uuid: string;
  /** vCPUs that the guest may ever have, and how many of them it has at the start. */
  readonly vcpus: number;
  readonly onlineVcpus: number;
  /** RAM, KiB. */
  readonly memoryKiB: number;
  /** Video RAM, KiB; part of no other number. */
  readonly videoRamKiB: number;
  readonly store: { readonly frame: Gfn; readonly port: EvtchnPort };
  /** The primary console; absent when the guest has none. */
  readonly console?: {
    readonly frame: Gfn;
    readonly port: EvtchnPort;
    /** Bytes of output that are kept when nobody reads. */
    readonly limit: number;
    /** Where the output goes, in the toolstack's words: "pty", "file:…". */
    readonly output: string;
  };
  readonly features: readonly ControlFeature[];
}

/**
 * Features that Linux announces by writing the nodes itself (drivers/xen/manage.c), and complains when it may not; so they
 * are there even where we do not support one.
 */
const GUEST_FEATURES: readonly ControlFeature[] = ["poweroff", "reboot", "suspend"];

/** Writes all nodes of a new domain at once. */
export function writeDomainNodes(client: StoreClient, config: DomainNodesConfig): void {
  client.transaction((nodes) => {
    const home = domainPath(config.domid);
    const vm = `/vm/${config.uuid}`;
    const readable = [`n0`, `r${config.domid}`];
    const writable = [`n${config.domid}`];

    const tables: readonly (readonly [path: string, permissions: readonly string[], value: string | number])[] = [
      [vm, readable, ""],
      [`${vm}/uuid`, readable, config.uuid],
      [`${vm}/name`, readable, config.name],
      [home, readable, ""],
      [`${home}/vm`, readable, vm],
      [`${home}/name`, readable, config.name],
      [`${home}/domid`, readable, config.domid],
      [`${home}/cpu`, readable, ""],
      [`${home}/memory`, readable, ""],
      [`${home}/memory/static-max`, readable, config.memoryKiB],
      [`${home}/memory/target`, readable, config.memoryKiB],
      [`${home}/memory/videoram`, readable, config.videoRamKiB],
      [`${home}/platform`, readable, ""],
      [`${home}/platform/acpi`, readable, 1],
      [`${home}/platform/acpi_s3`, readable, 0],
      [`${home}/platform/acpi_s4`, readable, 0],
      [`${home}/store`, readable, ""],
      [`${home}/store/port`, readable, config.store.port],
      [`${home}/store/ring-ref`, readable, config.store.frame],
      [`${home}/control`, readable, ""],
      [`${home}/control/platform-feature-xs_reset_watches`, readable, 1],
      [`${home}/control/platform-feature-multiprocessor-suspend`, readable, 1],
      // The toolstack writes a request here and the guest empties the node to say that it has seen it.
      [`${home}/control/shutdown`, writable, ""],
      [`${home}/control/sysrq`, writable, ""],
      [`${home}/attr`, writable, ""],
      [`${home}/data`, writable, ""],
      // Not the guest's: it could put devices there that it has not been given.
      [`${home}/device`, readable, ""],
      [`${home}/drivers`, writable, ""],
      [`${home}/error`, writable, ""],
      [`${home}/feature`, writable, ""],
    ];
    for (const [path, permissions, value] of tables) put(nodes, path, permissions, value);
    for (const feature of [...GUEST_FEATURES, ...config.features]) {
      put(nodes, `${home}/control/feature-${feature}`, writable, config.features.includes(feature) ? 1 : "");
    }
    for (let vcpu = 0; vcpu < config.vcpus; vcpu++) {
      put(nodes, `${home}/cpu/${vcpu}`, readable, "");
      put(nodes, `${home}/cpu/${vcpu}/availability`, readable, vcpu < config.onlineVcpus ? "online" : "offline");
    }
    if (config.console !== undefined) {
      put(nodes, `${home}/console`, readable, "");
      put(nodes, `${home}/console/ring-ref`, readable, config.console.frame);
      put(nodes, `${home}/console/port`, readable, config.console.port);
      put(nodes, `${home}/console/type`, readable, "xenconsoled");
      put(nodes, `${home}/console/output`, readable, config.console.output);
      put(nodes, `${home}/console/limit`, readable, config.console.limit);
    }
  });
}

/** Removes all nodes of a domain that is gone. */
export function removeDomainNodes(client: StoreClient, { domid, uuid }: { domid: DomId; uuid: string }): void {
  client.transaction((nodes) => {
    nodes.remove(domainPath(domid));
    nodes.remove(`/vm/${uuid}`);
  });
}

function put(nodes: StoreNodes, path: string, permissions: readonly string[], value: string | number): void {
  nodes.write(path, value);
  nodes.setPermissions(path, permissions);
}
