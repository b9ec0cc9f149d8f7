/** Kinds of values that settings have. Messages end a line that starts with the setting's path, so none names its own. */
import * as v from "valibot";

export type DeepReadonly<T> = T extends string | number | boolean | null | undefined
  ? T
  : { readonly [K in keyof T]: DeepReadonly<T[K]> };

/** Longest name of a machine, a disk or a CPU feature. */
export const MAX_NAME = 255;
/** Bytes of a socket path, without its final NUL: sockaddr_un's sun_path holds 108. */
const MAX_SOCKET_PATH = 107;

export function integer(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return v.pipe(v.number(message), v.safeInteger(message), v.minValue(min, message), v.maxValue(max, message));
}

export function flag(fallback: boolean) {
  return v.optional(v.boolean("must be true or false"), fallback);
}

export function oneOf<const T extends readonly string[]>(values: T) {
  return v.picklist(values, `must be one of ${values.join(", ")}`);
}

export function text(max: number) {
  return v.pipe(
    v.string("must be text"),
    v.check((value) => !value.includes("\0"), "must not contain a NUL byte"),
    v.maxLength(max, `is longer than ${max} characters`),
  );
}

/** A path, as given: whether anything is there is found out by whoever opens it. */
export function path() {
  return v.pipe(text(4095), v.minLength(1, "must not be empty"));
}

export function name() {
  return v.pipe(text(MAX_NAME), v.minLength(1, "must not be empty"));
}

/** An IPv4 or IPv6 address: nobody is asked for the address of a name. */
export function ipAddress() {
  const message = "must be an IPv4 or IPv6 address";
  return v.pipe(v.string(message), v.check(isIpAddress, message));
}

function isIpAddress(text: string): boolean {
  if (!text.includes(":")) return isIpv4(text);
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return false;
  const groups = [head, tail ?? ""].flatMap((part) => (part === "" ? [] : part.split(":")));
  const last = groups.at(-1) ?? "";
  const dotted = last.includes(".");
  const words = groups.length + (dotted ? 1 : 0);
  if (tail === undefined ? words !== 8 : words > 7) return false;
  return groups.every(
    (group, i) => /^[0-9a-f]{1,4}$/i.test(group) || (dotted && i === groups.length - 1 && isIpv4(last)),
  );
}

function isIpv4(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split(".").every((part) => Number(part) <= 255);
}

export function socketPath() {
  return v.pipe(
    path(),
    v.check(
      (value) => new TextEncoder().encode(value).length <= MAX_SOCKET_PATH,
      `is longer than ${MAX_SOCKET_PATH} bytes, the most that a Unix socket can have`,
    ),
  );
}
