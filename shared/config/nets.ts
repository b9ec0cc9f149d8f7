/** Network adapters and what they are plugged into. */
import * as v from "valibot";
import { bootIndexSchema } from "./disks.js";
import { flag, integer, ipAddress, name, socketPath, text } from "./fields.js";
import type { DeepReadonly } from "./fields.js";
import { uniqueIds } from "./ids.js";
import { slotSchema } from "./pci-slots.js";
import type { PciSlots } from "./pci-slots.js";

/** QEMU's first address; the next adapters count up from it. */
const MAC_PREFIX = [0x52, 0x54, 0x00, 0x12, 0x34] as const;
const FIRST_MAC = 0x56;
/** Linux IFNAMSIZ without its final NUL. */
const MAX_IFNAME = 15;
const MAX_RECONNECT_MS = 3_600_000;

const mac = v.pipe(
  v.string("must be text"),
  v.regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i, "must be an address such as 52:54:00:12:34:56"),
  v.check((value) => (Number.parseInt(value.slice(0, 2), 16) & 1) === 0, "is a multicast address"),
  v.check((value) => value !== "00:00:00:00:00:00", "is no address at all"),
  v.transform((value) => value.toLowerCase()),
);

const model = v.variant(
  "kind",
  [v.strictObject({ kind: v.literal("virtio"), slot: v.optional(slotSchema) })],
  'must be { kind: "virtio", slot }',
);

const datagramEnd = v.union(
  [socketPath(), v.strictObject({ host: ipAddress(), port: integer(1, 65_535) })],
  "must be the path of a Unix socket, or { host, port }: an address and a port of UDP",
);

const backend = v.variant(
  "kind",
  [
    /** Nothing is plugged in: what the guest sends vanishes. */
    v.strictObject({ kind: v.literal("none") }),
    /** A network of our own, with the host behind it. */
    v.strictObject({
      kind: v.literal("user"),
      /** Each `tcp|udp:[address]:port-[address]:port`, as in QEMU. */
      hostForwards: v.optional(v.array(text(255), "must be a list")),
    }),
    v.strictObject({
      kind: v.literal("tap"),
      ifname: v.pipe(text(MAX_IFNAME), v.regex(/^[^\s/]+$/, "is not the name of a network interface")),
    }),
    /** A Unix stream socket, frames preceded by their length, as QEMU's. */
    v.strictObject({
      kind: v.literal("stream"),
      path: socketPath(),
      /** Listens, rather than connects. */
      server: flag(false),
      /** A client tries again after this time; 0: never. */
      reconnectMs: v.optional(integer(0, MAX_RECONNECT_MS)),
    }),
    /** Datagrams, a frame in each, between Unix sockets or by UDP. */
    v.strictObject({ kind: v.literal("dgram"), local: datagramEnd, remote: datagramEnd }),
  ],
  "must be a network: none, user, tap, stream or dgram",
);

export const netSchema = v.strictObject({
  id: v.optional(name()),
  mac: v.optional(mac),
  model,
  bootIndex: v.optional(bootIndexSchema),
  backend,
});

type Given = DeepReadonly<v.InferOutput<typeof netSchema>>;

export type NetBackend = DeepReadonly<v.InferOutput<typeof backend>>;

export type NetConfig = Omit<Given, "id" | "mac" | "model" | "backend"> & {
  readonly id: string;
  /** Lower-case hexadecimal, colons between. */
  readonly mac: string;
  readonly model: { readonly kind: "virtio"; readonly slot: number };
  readonly backend: NetBackend;
};

/** Names every adapter and gives it an address that no other has. */
export function resolveNets(nets: readonly Given[], slots: PciSlots): readonly NetConfig[] {
  const ids = uniqueIds("nets", "net", nets);
  const taken = new Set(nets.map((net) => net.mac));
  let next = FIRST_MAC;
  const freeMac = (): string => {
    for (;;) {
      const address = [...MAC_PREFIX, next++].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
      if (!taken.has(address)) return address;
    }
  };
  return nets.map((net, index) => {
    return {
      ...net,
      id: ids[index] ?? "",
      mac: net.mac ?? freeMac(),
      model: { kind: "virtio", slot: slots.of(`nets.${index}.model.slot`) },
    };
  });
}
