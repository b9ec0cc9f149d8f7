/**
 * Where the two ends of a paravirtual device keep their nodes, and how a device comes and goes there.
 *
 * [PATHS] xen.git docs/misc/xenstore-paths.pandoc, device front ends and back ends
 */
import type { DomId } from "../../shared/brand.js";
import type { StoreClient, StoreNodes } from "../xenstore/client.js";
import { domainPath } from "../xenstore/path.js";
import { DOM0 } from "../xenstore/permissions.js";
import { XenbusState } from "./xenbus-state.js";

/** Which device of which guest: `kind` is the class's name in the store ("vbd"), `id` its number there (51712). */
export interface DeviceAddress {
  readonly domid: DomId;
  readonly kind: string;
  readonly id: number;
}

export type NodeValues = Readonly<Record<string, string | number>>;

export interface DevicePaths {
  readonly frontend: string;
  readonly backend: string;
  /** Where a back end says why it gave up, as Linux's does. */
  readonly error: string;
}

export function devicePaths({ domid, kind, id }: DeviceAddress): DevicePaths {
  const place = `backend/${kind}/${domid}/${id}`;
  return {
    frontend: `${domainPath(domid)}/device/${kind}/${id}`,
    backend: `${domainPath(DOM0)}/${place}`,
    error: `${domainPath(DOM0)}/error/${place}/error`,
  };
}

/** Creates the nodes of both ends at once: the front end's belong to the guest and the back end's are for it to read. */
export function createDevice(
  client: StoreClient,
  address: DeviceAddress,
  values: { readonly frontend: NodeValues; readonly backend: NodeValues },
): void {
  const paths = devicePaths(address);
  client.transaction((nodes) => {
    nodes.remove(paths.frontend);
    nodes.remove(paths.backend);
    // Directories above the device's own are dom0's: a guest that owned them could put others' devices there.
    makeReadable(nodes, parents(paths.frontend), address.domid);
    makeReadable(nodes, parents(paths.backend), address.domid);
    put(nodes, paths.frontend, [`n${address.domid}`, `r${DOM0}`], {
      backend: paths.backend,
      "backend-id": DOM0,
      state: XenbusState.initialising,
      ...values.frontend,
    });
    put(nodes, paths.backend, [`n${DOM0}`, `r${address.domid}`], {
      frontend: paths.frontend,
      "frontend-id": address.domid,
      online: 1,
      state: XenbusState.initialising,
      "hotplug-status": "connected",
      ...values.backend,
    });
  });
}

/** Removes the nodes of both ends. */
export function removeDevice(client: StoreClient, address: DeviceAddress): void {
  const paths = devicePaths(address);
  client.transaction((nodes) => {
    nodes.remove(paths.frontend);
    nodes.remove(paths.backend);
    nodes.remove(paths.error);
  });
}

/** The directories between the domain's own and `path`, top first. */
function parents(path: string): string[] {
  const names = path.split("/");
  const own = domainPath(0).split("/").length;
  return names.slice(own, -1).map((_, i) => names.slice(0, own + 1 + i).join("/"));
}

function makeReadable(nodes: StoreNodes, paths: readonly string[], domid: DomId): void {
  for (const path of paths.filter((candidate) => !nodes.exists(candidate))) {
    nodes.mkdir(path);
    nodes.setPermissions(path, [`n${DOM0}`, `r${domid}`]);
  }
}

/** Sets the directory's permissions first: the nodes below inherit them. */
function put(nodes: StoreNodes, path: string, permissions: readonly string[], values: NodeValues): void {
  nodes.mkdir(path);
  nodes.setPermissions(path, permissions);
  for (const [name, value] of Object.entries(values)) nodes.write(`${path}/${name}`, value);
}
