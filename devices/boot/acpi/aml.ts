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
const EXT_PREFIX = 0x5b;
const DEVICE_OP = 0x82;
const ROOT_CHAR = 0x5c;
const DUAL_NAME_PREFIX = 0x2e;

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

/** `value` in `size` bytes, least significant first. */
export function little(value: number, size: number): Aml {
  return Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) % 0x100);
}

/** [ACPI] 20.2.2: `\`, or one or two segments, absolute or relative. */
function namePath(path: string): Aml {
  const root = path.startsWith("\\") ? [ROOT_CHAR] : [];
  const segments = path.slice(root.length).split(".").filter(Boolean);
  if (segments.length === 0) return [...root, 0];
  if (segments.length > 2) throw new RangeError(`Cannot encode the name ${path}: it has more than two segments`);
  return [
    ...root,
    ...(segments.length === 2 ? [DUAL_NAME_PREFIX] : []),
    ...segments.flatMap((each) => [...nameSegment(each)]),
  ];
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
