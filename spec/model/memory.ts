/** The shared memory of a model: every word that its threads write, so that a state can be told from others and taken back. */

export type SharedArray = Int32Array | Uint32Array | Uint8Array | Float64Array;

/** One word of shared memory, whichever view it is reached by. */
export interface Cell {
  readonly id: number;
  readonly array: SharedArray;
  readonly index: number;
}

export class Memory {
  readonly #cells: Cell[] = [];
  readonly #byPlace = new Map<ArrayBufferLike, Map<number, Cell>>();
  /** What was there before each write since the beginning. */
  readonly #journal: { readonly cell: Cell; readonly old: number }[] = [];
  /** By cell: which threads have been seen to write it. */
  readonly #writers = new Map<Cell, Set<number>>();
  /** Changes when a thread has been seen to write what it was not seen to write before. */
  knowledge = 0;

  cell(array: SharedArray, index: number): Cell {
    const place = (array.byteOffset + index * array.BYTES_PER_ELEMENT) * 8 + array.BYTES_PER_ELEMENT;
    let ofBuffer = this.#byPlace.get(array.buffer);
    if (ofBuffer === undefined) this.#byPlace.set(array.buffer, (ofBuffer = new Map<number, Cell>()));
    let cell = ofBuffer.get(place);
    if (cell === undefined) {
      cell = { id: this.#cells.length, array, index };
      this.#cells.push(cell);
      ofBuffer.set(place, cell);
    }
    return cell;
  }

  read({ array, index }: Cell): number {
    return array[index] ?? 0;
  }

  /** Whether a thread other than `thread` has been seen to write `cell`. */
  othersWrite(cell: Cell, thread: number): boolean {
    const writers = this.#writers.get(cell);
    return writers !== undefined && (writers.size > 1 || !writers.has(thread));
  }

  /** `thread` writes `cell`, now or soon. */
  writes(cell: Cell, thread: number): void {
    let writers = this.#writers.get(cell);
    if (writers === undefined) this.#writers.set(cell, (writers = new Set()));
    if (writers.has(thread)) return;
    writers.add(thread);
    this.knowledge++;
  }

  write(cell: Cell, value: number): void {
    this.#journal.push({ cell, old: this.read(cell) });
    cell.array[cell.index] = value;
  }

  /** A moment to go back to. */
  get now(): number {
    return this.#journal.length;
  }

  backTo(moment: number): void {
    while (this.#journal.length > moment) {
      const last = this.#journal.pop();
      if (last !== undefined) last.cell.array[last.cell.index] = last.old;
    }
  }

  /** Two states with the same text have the same memory. */
  text(): string {
    let text = "";
    for (const cell of this.#cells) text += `${this.read(cell)},`;
    return text;
  }
}
