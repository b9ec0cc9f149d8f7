/** Branded numbers: the units that must never be mixed up. Arithmetic falls back to `number`; re-brand in one named place. */
declare const unit: unique symbol;
export type Branded<T, Name extends string> = T & { readonly [unit]: Name };

/** Guest-physical address, in bytes. A JS number is exact up to 2^53. */
export type Gpa = Branded<number, "Gpa">;
/** Guest frame number: a Gpa in units of 4 KiB pages. */
export type Gfn = Branded<number, "Gfn">;
/** Guest-virtual address, in bytes; canonical addresses above 2^63 do not fit a number, hence bigint. */
export type Gva = Branded<bigint, "Gva">;
/** x86 I/O port, 0..0xffff. */
export type Port = Branded<number, "Port">;
/** Event-channel port, 1..4095 for 2-level 64-bit guests. Never a {@link Port}. */
export type EvtchnPort = Branded<number, "EvtchnPort">;
/** Index into the grant table. */
export type GrantRef = Branded<number, "GrantRef">;
/** x86 interrupt vector, 0..255. */
export type Vector = Branded<number, "Vector">;
/** vCPU number as Xen and ACPI count it, 0..; not the APIC id. */
export type VcpuId = Branded<number, "VcpuId">;
/** Xen domain id, 0..0x7fff. */
export type DomId = Branded<number, "DomId">;

export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;
const MAX_GPA = 2 ** 52;

/** @throws RangeError when `value` is not an address below 2^52 */
export function gpa(value: number): Gpa {
  if (!Number.isSafeInteger(value) || value < 0 || value >= MAX_GPA) {
    throw new RangeError(`Cannot use ${value} as a guest-physical address: it must be an integer in 0..2^52-1`);
  }
  return value as Gpa;
}

/** @throws RangeError when `value` is not a frame number below 2^40 */
export function gfn(value: number): Gfn {
  if (!Number.isSafeInteger(value) || value < 0 || value >= MAX_GPA / PAGE_SIZE) {
    throw new RangeError(`Cannot use ${value} as a guest frame number: it must be an integer in 0..2^40-1`);
  }
  return value as Gfn;
}

/** Multiplies, as a shift would wrap at 4 GiB. */
export function gfnToGpa(frame: Gfn): Gpa {
  return (frame * PAGE_SIZE) as Gpa;
}

/** The frame that holds `address`. */
export function gpaToGfn(address: Gpa): Gfn {
  return Math.floor(address / PAGE_SIZE) as Gfn;
}

/** @throws RangeError when `value` is not an I/O port number */
export function port(value: number): Port {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff) {
    throw new RangeError(`Cannot use ${value} as an I/O port: it must be an integer in 0..0xffff`);
  }
  return value as Port;
}

/** @throws RangeError when `value` cannot name an event channel */
export function evtchnPort(value: number): EvtchnPort {
  if (!Number.isInteger(value) || value < 0 || value > 0x1_ffff) {
    throw new RangeError(`Cannot use ${value} as an event-channel port: it must be an integer in 0..0x1ffff`);
  }
  return value as EvtchnPort;
}

/** @throws RangeError when `value` is not a vCPU number */
export function vcpuId(value: number): VcpuId {
  if (!Number.isInteger(value) || value < 0 || value > 4095) {
    throw new RangeError(`Cannot use ${value} as a vCPU number: it must be an integer in 0..4095`);
  }
  return value as VcpuId;
}

/** @throws RangeError when `value` is not a Xen domain id */
export function domId(value: number): DomId {
  if (!Number.isInteger(value) || value < 0 || value > 0x7fff) {
    throw new RangeError(`Cannot use ${value} as a domain id: it must be an integer in 0..0x7fff`);
  }
  return value as DomId;
}

/** @throws RangeError when `value` is not an interrupt vector */
export function vector(value: number): Vector {
  if (!Number.isInteger(value) || value < 0 || value > 255) {
    throw new RangeError(`Cannot use ${value} as an interrupt vector: it must be an integer in 0..255`);
  }
  return value as Vector;
}
