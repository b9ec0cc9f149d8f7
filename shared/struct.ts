/**
 * C structs over shared memory: declared once as `field: type`, read and written through generated accessors.
 *
 * `sizeof` from the C header is a required argument; a layout that disagrees throws when it is first used (spec/abi uses
 * all). Until then nothing of it is made: each thread loads every layout, needs a few, and a guest waits for its first
 * thread. Fields follow C's rules of alignment, so padding need not be named. A view is made once per consumer and re-aimed
 * with `at()`: no allocation. DataView has no atomics: words that both sides race on are reached through Int32Arrays and
 * Atomics instead.
 */

/** One field's type: how many bytes, how aligned, how it is read and written. */
export interface FieldType<T> {
  readonly size: number;
  readonly align: number;
  get(view: DataView, offset: number): T;
  set(view: DataView, offset: number, value: T): void;
}

export const u8: FieldType<number> = {
  size: 1,
  align: 1,
  get: (view, offset) => view.getUint8(offset),
  set: (view, offset, value) => {
    view.setUint8(offset, value);
  },
};

export const u16: FieldType<number> = {
  size: 2,
  align: 2,
  get: (view, offset) => view.getUint16(offset, true),
  set: (view, offset, value) => {
    view.setUint16(offset, value, true);
  },
};

export const u32: FieldType<number> = {
  size: 4,
  align: 4,
  get: (view, offset) => view.getUint32(offset, true),
  set: (view, offset, value) => {
    view.setUint32(offset, value, true);
  },
};

export const i32: FieldType<number> = {
  size: 4,
  align: 4,
  get: (view, offset) => view.getInt32(offset, true),
  set: (view, offset, value) => {
    view.setInt32(offset, value, true);
  },
};

/** A 64-bit field as a bigint: for values of which all 64 bits are opaque (ids, MSRs). */
export const u64: FieldType<bigint> = {
  size: 8,
  align: 8,
  get: (view, offset) => view.getBigUint64(offset, true),
  set: (view, offset, value) => {
    view.setBigUint64(offset, value, true);
  },
};

/**
 * A 64-bit field as a number: addresses, lengths, sectors, nanoseconds. Exact below 2^53; above, the value is rounded
 * but stays huge, so a range check on it still rejects it.
 */
export const u64n: FieldType<number> = {
  size: 8,
  align: 8,
  get: (view, offset) => view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 0x1_0000_0000,
  set: (view, offset, value) => {
    view.setUint32(offset, value % 0x1_0000_0000, true);
    view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
  },
};

/** A 64-bit field with the 4-byte alignment that the i386 ABI gives it. */
export const u64n4: FieldType<number> = { ...u64n, align: 4 };
export const u64a4: FieldType<bigint> = { ...u64, align: 4 };

/** `size` raw bytes, aligned as told. Reading gives a view on them, not a copy. */
export function bytes(size: number, align = 1): FieldType<Uint8Array> {
  return {
    size,
    align,
    get: (view, offset) => new Uint8Array(view.buffer, view.byteOffset + offset, size),
    set: (view, offset, value) => {
      new Uint8Array(view.buffer, view.byteOffset + offset, size).set(value.subarray(0, size));
    },
  };
}

type Fields = Readonly<Record<string, FieldType<never>>>;
type ValueOf<F> = F extends FieldType<infer T> ? T : never;
type FieldValues<F> = { -readonly [K in keyof F]: ValueOf<F[K]> };

/** Accessors for one struct at a movable position. */
export type StructView<F> = FieldValues<F> & {
  /** Re-aims the view at `offset` bytes into its buffer and returns itself. */
  at(offset: number): StructView<F>;
  /** Puts the view over another buffer, at its start. */
  over(buffer: ArrayBufferLike): StructView<F>;
};

export interface Struct<F> {
  readonly name: string;
  /** sizeof, in bytes. */
  readonly size: number;
  /** offsetof of each field, in bytes. */
  readonly offsets: Readonly<Record<keyof F, number>>;
  /** sizeof each field, in bytes. */
  readonly sizes: Readonly<Record<keyof F, number>>;
  /** A view at offset 0 of `buffer`. */
  view(buffer: ArrayBufferLike): StructView<F>;
}

/** Declares a C struct. Using it throws an Error when the fields do not add up to `size`. */
export function struct<
  F extends {
    readonly [K in keyof F]: FieldType<never> | FieldType<number> | FieldType<bigint> | FieldType<Uint8Array>;
  },
>(name: string, size: number, fields: () => F): Struct<F> {
  let layout: Layout | undefined;
  let View: ViewClass | undefined;
  const laidOut = (): Layout => (layout ??= layOut(name, size, fields() as Fields));
  return {
    name,
    size,
    get offsets() {
      return laidOut().offsets as Record<keyof F, number>;
    },
    get sizes() {
      return laidOut().sizes as Record<keyof F, number>;
    },
    view: (buffer) => {
      View ??= viewClass(laidOut());
      return new View(buffer) as StructView<F>;
    },
  };
}

interface Layout {
  readonly fields: Fields;
  readonly offsets: Readonly<Record<string, number>>;
  readonly sizes: Readonly<Record<string, number>>;
}

function layOut(name: string, size: number, fields: Fields): Layout {
  const offsets: Record<string, number> = {};
  const sizes: Record<string, number> = {};
  let end = 0;
  let alignment = 1;
  for (const [field, type] of Object.entries(fields)) {
    end = Math.ceil(end / type.align) * type.align;
    offsets[field] = end;
    sizes[field] = type.size;
    end += type.size;
    alignment = Math.max(alignment, type.align);
  }
  const total = Math.ceil(end / alignment) * alignment;
  if (total !== size)
    throw new Error(`Cannot lay out struct ${name}: its fields take ${total} bytes, sizeof is ${size}`);
  return { fields, offsets, sizes };
}

type ViewClass = new (buffer: ArrayBufferLike) => unknown;

function viewClass({ fields, offsets }: Layout): ViewClass {
  class View {
    #view: DataView;
    #base = 0;

    constructor(buffer: ArrayBufferLike) {
      this.#view = new DataView(buffer);
    }

    at(offset: number): this {
      this.#base = offset;
      return this;
    }

    over(buffer: ArrayBufferLike): this {
      this.#view = new DataView(buffer);
      this.#base = 0;
      return this;
    }

    static define(field: string, type: FieldType<unknown>, offset: number): void {
      Object.defineProperty(View.prototype, field, {
        get(this: View): unknown {
          return type.get(this.#view, this.#base + offset);
        },
        set(this: View, value: unknown) {
          type.set(this.#view, this.#base + offset, value);
        },
      });
    }
  }
  for (const [field, type] of Object.entries(fields)) View.define(field, type, offsets[field] ?? 0);
  return View;
}
