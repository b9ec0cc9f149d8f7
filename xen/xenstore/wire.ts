/**
 * Xenstore's wire protocol: message types, the header, error names, limits, and text as bytes.
 *
 * [XS_WIRE] xen.git xen/include/public/io/xs_wire.h
 * [XENSTORE] xen.git docs/misc/xenstore.txt
 *
 * Strings on the wire are bytes. We keep them as strings of the characters U+0000..U+00FF, one for each byte.
 */
import { struct, u32 } from "../../shared/struct.js";

/** enum xsd_sockmsg_type, [XS_WIRE]. 20 was RESTRICT and is a hole. */
export const XsType = {
  control: 0,
  directory: 1,
  read: 2,
  getPerms: 3,
  watch: 4,
  unwatch: 5,
  transactionStart: 6,
  transactionEnd: 7,
  introduce: 8,
  release: 9,
  getDomainPath: 10,
  write: 11,
  mkdir: 12,
  rm: 13,
  setPerms: 14,
  watchEvent: 15,
  error: 16,
  isDomainIntroduced: 17,
  resume: 18,
  setTarget: 19,
  resetWatches: 21,
  directoryPart: 22,
} as const;

/** Bytes of payload, at most, in either direction, [XS_WIRE]. More ends the connection. */
export const XENSTORE_PAYLOAD_MAX = 4096;
/** Bytes of an absolute path and of one relative to the domain's own, [XS_WIRE]. */
export const XENSTORE_ABS_PATH_MAX = 3072;
export const XENSTORE_REL_PATH_MAX = 2048;

/** struct xsd_sockmsg, [XS_WIRE]. `txId` 0: no transaction. `len`: bytes of payload that follow. */
export const xsdSockmsg = struct("xsd_sockmsg", 16, () => ({ type: u32, reqId: u32, txId: u32, len: u32 }));
export const HEADER_SIZE = xsdSockmsg.size;

/** The names that an ERROR reply may carry: xsd_errors of [XS_WIRE]. */
export type StoreErrno =
  | "EINVAL"
  | "EACCES"
  | "EEXIST"
  | "EISDIR"
  | "ENOENT"
  | "ENOMEM"
  | "ENOSPC"
  | "EIO"
  | "ENOTEMPTY"
  | "ENOSYS"
  | "EROFS"
  | "EBUSY"
  | "EAGAIN"
  | "EISCONN"
  | "E2BIG"
  | "EPERM";

/** A request that was refused. A client's mistake is a value, never an exception. */
export class Failure {
  readonly errno: StoreErrno;

  constructor(errno: StoreErrno) {
    this.errno = errno;
  }
}

export type Outcome<T> = T | Failure;

export interface Message {
  /** XsType, or anything else that a client sent. */
  readonly type: number;
  /** Chosen by the client and echoed in the reply. */
  readonly reqId: number;
  readonly txId: number;
  readonly payload: Uint8Array;
}

export type MessageHeader = Omit<Message, "payload">;

/** Header and payload as they go over the ring. */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_SIZE + message.payload.length);
  const header = xsdSockmsg.view(bytes.buffer);
  header.type = message.type;
  header.reqId = message.reqId;
  header.txId = message.txId;
  header.len = message.payload.length;
  bytes.set(message.payload, HEADER_SIZE);
  return bytes;
}

/** The header in the first {@link HEADER_SIZE} bytes; `length` is what the sender claims and needs checking. */
export function decodeHeader(bytes: Uint8Array): { readonly header: MessageHeader; readonly length: number } {
  const view = xsdSockmsg.view(bytes.buffer).at(bytes.byteOffset);
  return { header: { type: view.type, reqId: view.reqId, txId: view.txId }, length: view.len };
}

/** One byte for each character; characters above U+00FF lose their upper bits. */
export function textBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Characters per call of String.fromCharCode: its arguments go over the stack. */
const CHUNK = 4096;

export function bytesText(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  }
  return text;
}

/** The NUL-terminated strings at the start of `payload`. Bytes after the last NUL belong to none. */
export function nulStrings(payload: Uint8Array): string[] {
  const strings = bytesText(payload).split("\0");
  strings.pop();
  return strings;
}

/** The one NUL-terminated string that fills `payload`, or undefined when it is anything else. */
export function soleString(payload: Uint8Array): string | undefined {
  return payload.length > 0 && payload.indexOf(0) === payload.length - 1
    ? bytesText(payload.subarray(0, -1))
    : undefined;
}

/** Each string followed by a NUL. */
export function nulTerminated(strings: readonly string[]): Uint8Array<ArrayBuffer> {
  return textBytes(strings.map((text) => `${text}\0`).join(""));
}
