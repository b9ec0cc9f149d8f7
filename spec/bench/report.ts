/** How results are printed: a table for people, one JSON object a line for programs. */
import type { Summary } from "./statistics.js";

export interface Result {
  readonly name: string;
  /** Of the figures; less of it is always better. */
  readonly unit: string;
  /** Ours. */
  readonly value: Summary;
  /** QEMU's; undefined where it cannot do the same thing on this host. */
  readonly peer: Summary | undefined;
  /** What people ask for instead, more of which is better: `numerator` by the figure. */
  readonly inverse?: { readonly name: string; readonly numerator: number };
  /** What else was measured in the same rounds, by name. */
  readonly others: ReadonlyMap<string, Summary>;
}

const SIGNIFICANT_DIGITS = 4;
const COLUMNS = [24, 6, 26, 26, 6] as const;

/** Ours by the peer's, by the medians: below 1, we are ahead. */
export function ratioOf({ value, peer }: Result): number | undefined {
  return peer === undefined || peer.median === 0 ? undefined : value.median / peer.median;
}

/** `spread` has the lowest and the highest sample of each. */
export function jsonLine(result: Result): string {
  const { name, unit, value, peer } = result;
  const ratio = ratioOf(result);
  return JSON.stringify({
    name,
    unit,
    value: rounded(value.median),
    peer: peer === undefined ? null : rounded(peer.median),
    ratio: ratio === undefined ? null : rounded(ratio),
    spread: { value: spreadOf(value), peer: peer === undefined ? null : spreadOf(peer) },
    ...inverseOf(result),
  });
}

function inverseOf({ value, peer, inverse }: Result): Readonly<Record<string, object>> {
  if (inverse === undefined) return {};
  const by = ({ median }: Summary): number => rounded(inverse.numerator / median);
  return { [inverse.name]: { value: by(value), peer: peer === undefined ? null : by(peer) } };
}

export function tableHead(): string {
  return row(["name", "unit", "Xenolith (spread)", "QEMU (spread)", "ratio"], "");
}

export function tableRow(result: Result): string {
  const { name, unit, value, peer, others } = result;
  const ratio = ratioOf(result);
  const cells = [
    name,
    unit,
    cell(value),
    peer === undefined ? "-" : cell(peer),
    ratio === undefined ? "-" : ratio.toFixed(2),
  ];
  return row(cells, [...others].map(([label, summary]) => `${label} ${cell(summary)}`).join(", "));
}

function row(cells: readonly string[], rest: string): string {
  const padded = COLUMNS.map((width, index) => (cells[index] ?? "").padEnd(width));
  return `${padded.join("  ")}  ${rest}`.trimEnd();
}

function cell({ median, low, high }: Summary): string {
  return `${rounded(median)} (${rounded(low)}..${rounded(high)})`;
}

function spreadOf({ low, high }: Summary): [number, number] {
  return [rounded(low), rounded(high)];
}

function rounded(value: number): number {
  return Number(value.toPrecision(SIGNIFICANT_DIGITS));
}
