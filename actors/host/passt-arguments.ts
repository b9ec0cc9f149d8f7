/**
 * passt's command line for `-netdev user`: the addresses that QEMU's user-mode network has, and forwarded ports.
 *
 * [PASST] --fd, --one-off, --address, --netmask, --gateway, --dns-forward, --tcp-ports, --udp-ports
 */
import { VmmError } from "../../shared/errors.js";

/** As guests and scripts know them from QEMU: the guest, its gateway (which is the host), and a name server. */
export const USER_NETWORK = {
  guest: "10.0.2.15",
  netmask: "255.255.255.0",
  gateway: "10.0.2.2",
  dns: "10.0.2.3",
} as const;

/** The connected socket's number in the child. */
export const PASST_FD = 3;

/** @throws VmmError CONFIG with one line when a forward cannot be read */
export function passtArguments(hostForwards: readonly string[]): readonly string[] {
  const { guest, netmask, gateway, dns } = USER_NETWORK;
  const addresses = ["--address", guest, "--netmask", netmask, "--gateway", gateway, "--dns-forward", dns];
  // --fd implies --one-off: it ends when our side of the socket is closed, however we end.
  const process = ["--foreground", "--quiet", "--fd", `${PASST_FD}`];
  return [...process, ...addresses, ...hostForwards.flatMap(forward)];
}

/** QEMU's `[tcp|udp]:[host address]:host port-[guest address]:guest port`. */
const FORWARD = /^(tcp|udp)?:([^:]*):(\d+)-([^:]*):(\d+)$/;

function forward(text: string): readonly string[] {
  const match = FORWARD.exec(text);
  if (match === null) throw bad(text, "it must be [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport");
  const [, protocol = "tcp", host = "", hostPort = "", guest = "", guestPort = ""] = match;
  for (const port of [hostPort, guestPort]) {
    if (Number(port) < 1 || Number(port) > 65_535) throw bad(text, `${port} is not a port from 1 to 65535`);
  }
  if (guest !== "" && guest !== USER_NETWORK.guest) {
    throw bad(text, `the guest's address is ${USER_NETWORK.guest}, not ${guest}`);
  }
  if (host !== "" && !isIpv4(host)) throw bad(text, `${host} is not an IPv4 address`);
  return [
    protocol === "udp" ? "--udp-ports" : "--tcp-ports",
    `${host === "" ? "" : `${host}/`}${hostPort}:${guestPort}`,
  ];
}

function isIpv4(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split(".").every((part) => Number(part) <= 255);
}

function bad(text: string, reason: string): VmmError {
  return new VmmError("CONFIG", `Cannot forward ${JSON.stringify(text)}: ${reason}`, { hostfwd: text });
}
