/**
 * ACPI Machine Language, as far as static tables need it: each function returns the bytes of one term.
 *
 * [ACPI] ACPI 6.5, chapter 20 "ACPI Machine Language (AML) Specification"
 */

/** Encoded terms. */
export type Aml = readonly number[];

/** [ACPI] table 20.2. */
const ZERO_OP = 0x00;
const ONE_OP = 0x01;
const NAME_OP = 0x08;
const BYTE_PREFIX = 0x0a;
const WORD_PREFIX = 0x0b;
const DWORD_PREFIX = 0x0c;
const STRING_PREFIX = 0x0d;
const SCOPE_OP = 0x10;
const BUFFER_OP = 0x11;
const PACKAGE_OP = 0x12;
const METHOD_OP = 0x14;
const DUAL_NAME_PREFIX = 0x2e;
const MULTI_NAME_PREFIX = 0x2f;
const EXT_PREFIX = 0x5b;
const ROOT_CHAR = 0x5c;
const ARG0_OP = 0x68;
const STORE_OP = 0x70;
const AND_OP = 0x7b;
const OR_OP = 0x7d;
const CREATE_DWORD_FIELD_OP = 0x8a;
const IF_OP = 0xa0;
const RETURN_OP = 0xa4;
/** After the prefix. */
const REGION_OP = 0x80;
const FIELD_OP = 0x81;
const DEVICE_OP = 0x82;
/** [ACPI] 20.2.5.2: address space of an operation region. */
const PCI_CONFIG = 0x02;
/** [ACPI] 20.2.5.2: bytes at a time, no lock, other bits are kept. */
const BYTE_ACCESS = 0x01;
const SERIALIZED = 0x08;

/** An integer below 2^32 in its shortest form. [ACPI] 20.2.3 */
export function integer(value: number): Aml {
  if (value === 0) return [ZERO_OP];
  if (value === 1) return [ONE_OP];
  if (value < 0x100) return [BYTE_PREFIX, value];
  if (value < 0x1_0000) return [WORD_PREFIX, ...little(value, 2)];
  return [DWORD_PREFIX, ...little(value, 4)];
}

/** A zero-terminated string of ASCII characters. [ACPI] 20.2.3 */
export function text(value: string): Aml {
  return [STRING_PREFIX, ...ascii(value), 0];
}

/** A compressed EISA identifier such as PNP0A03: three letters, four hex digits. [ACPI] 19.3.4 */
export function eisaId(id: string): Aml {
  const [a, b, c] = ascii(id).map((char) => char - 0x40);
  const product = Number.parseInt(id.slice(3), 16);
  const maker = ((a ?? 0) << 10) | ((b ?? 0) << 5) | (c ?? 0);
  return [DWORD_PREFIX, maker >>> 8, maker & 0xff, product >>> 8, product & 0xff];
}

/** `Name (segment, value)`. */
export function name(segment: string, value: Aml): Aml {
  return [NAME_OP, ...nameSegment(segment), ...value];
}

/** `Scope (path) { terms }`. */
export function scope(path: string, ...terms: readonly Aml[]): Aml {
  return [SCOPE_OP, ...withLength([...namePath(path), ...terms.flat()])];
}

/** `Device (segment) { terms }`. */
export function device(segment: string, ...terms: readonly Aml[]): Aml {
  return [EXT_PREFIX, DEVICE_OP, ...withLength([...nameSegment(segment), ...terms.flat()])];
}

/** `Package () { elements }` of at most 255 elements. */
export function pack(...elements: readonly Aml[]): Aml {
  if (elements.length > 0xff) throw new RangeError(`Cannot encode a package of ${elements.length} elements`);
  return [PACKAGE_OP, ...withLength([elements.length, ...elements.flat()])];
}

/** `Buffer () { bytes }`. */
export function buffer(bytes: Aml): Aml {
  return [BUFFER_OP, ...withLength([...integer(bytes.length), ...bytes])];
}

/** `Method (segment, args) { terms }`; one that makes names of its own is serialized. */
export function method(segment: string, args: number, ...terms: readonly Aml[]): Aml {
  const serialized = terms.some((term) => term[0] === NAME_OP || term[0] === CREATE_DWORD_FIELD_OP);
  const flags = args | (serialized ? SERIALIZED : 0);
  return [METHOD_OP, ...withLength([...nameSegment(segment), flags, ...terms.flat()])];
}

/** `OperationRegion (segment, PCI_Config, offset, length)` and its bytes, each a field. */
export function configBytes(segment: string, offset: number, fields: readonly string[]): Aml {
  const units = fields.flatMap((field) => [...nameSegment(field), 8]);
  return [
    ...[EXT_PREFIX, REGION_OP, ...nameSegment(segment), PCI_CONFIG, ...integer(offset), ...integer(fields.length)],
    ...[EXT_PREFIX, FIELD_OP, ...withLength([...nameSegment(segment), BYTE_ACCESS, ...units])],
  ];
}

/** A reference to an object. */
export function ref(path: string): Aml {
  return namePath(path);
}

/** The first argument of a method. */
export const arg0: Aml = [ARG0_OP];

export function store(value: Aml, target: Aml): Aml {
  return [STORE_OP, ...value, ...target];
}

/** `a & b`, not stored. */
export function and(a: Aml, b: Aml): Aml {
  return [AND_OP, ...a, ...b, ZERO_OP];
}

/** `a | b`, not stored. */
export function or(a: Aml, b: Aml): Aml {
  return [OR_OP, ...a, ...b, ZERO_OP];
}

/** `If (predicate) { terms }` */
export function when(predicate: Aml, ...terms: readonly Aml[]): Aml {
  return [IF_OP, ...withLength([...predicate, ...terms.flat()])];
}

export function answer(value: Aml): Aml {
  return [RETURN_OP, ...value];
}

/** `CreateDWordField (source, index, segment)` */
export function dwordField(source: Aml, index: number, segment: string): Aml {
  return [CREATE_DWORD_FIELD_OP, ...source, ...integer(index), ...nameSegment(segment)];
}

/** `value` in `size` bytes, least significant first. */
export function little(value: number, size: number): Aml {
  return Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) % 0x100);
}

/** [ACPI] 20.2.2: `\`, or segments, absolute or relative. */
function namePath(path: string): Aml {
  const root = path.startsWith("\\") ? [ROOT_CHAR] : [];
  const segments = path.slice(root.length).split(".").filter(Boolean);
  const { length } = segments;
  if (length === 0) return [...root, 0];
  const prefix = length === 1 ? [] : length === 2 ? [DUAL_NAME_PREFIX] : [MULTI_NAME_PREFIX, length];
  return [...root, ...prefix, ...segments.flatMap((each) => [...nameSegment(each)])];
}

/** [ACPI] 20.2.2: four characters, filled up with underscores. */
function nameSegment(segment: string): Aml {
  if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment)) throw new RangeError(`Cannot use ${segment} as an ACPI name`);
  return ascii(segment.padEnd(4, "_"));
}

/** [ACPI] 20.2.4: the length counts its own bytes, one to four of them. */
function withLength(body: Aml): Aml {
  if (body.length + 1 < 0x40) return [body.length + 1, ...body];
  const extra = body.length + 2 < 0x1000 ? 1 : body.length + 3 < 0x10_0000 ? 2 : 3;
  const length = body.length + 1 + extra;
  return [(extra << 6) | (length & 0xf), ...little(length >>> 4, extra), ...body];
}

function ascii(value: string): number[] {
  return Array.from(value, (char) => char.charCodeAt(0));
}
