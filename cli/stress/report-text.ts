/** How a stress run goes, and how it went, for people. */
import type { StressProgress, StressReport } from "../../index.js";
import { oneLine } from "../report.js";

const NUMBER_WIDTH = 12;
const US_PER_MS = 1000;

/** One line: the time, and what has been done so far. */
export function progressText({ seconds, workloads, hostActions }: StressProgress): string {
  const events = workloads.reduce((sum, workload) => sum + workload.events, 0);
  const operations = workloads.reduce((sum, workload) => sum + workload.operations, 0);
  const acts = hostActions.map(({ name, count }) => `${name} ${count}`).join(", ");
  const did = `${number(events)} events, ${number(operations)} operations`;
  return `${seconds.toFixed(1)} s: ${did}${acts === "" ? "" : `; host: ${acts}`}`;
}

export function reportText(report: StressReport): string {
  const { seconds, workloads, hostActions, failures } = report;
  const perSecond = (count: number) => number(Math.round(count / seconds));
  const width = Math.max(...workloads.map(({ name }) => name.length), "total".length);
  const operations = workloads.reduce((sum, workload) => sum + workload.operations, 0);
  const longestUs = Math.max(...workloads.map((workload) => workload.longestUs));
  const rows = [...workloads, { name: "total", events: report.events, operations, longestUs }].map((row) =>
    [
      row.name.padEnd(width),
      number(row.events).padStart(NUMBER_WIDTH),
      perSecond(row.events).padStart(NUMBER_WIDTH),
      number(row.operations).padStart(NUMBER_WIDTH),
      (row.longestUs / US_PER_MS).toFixed(1).padStart(NUMBER_WIDTH),
    ].join(" "),
  );
  const head = ["", "events", "events/s", "operations", "longest ms"].map((text, column) =>
    column === 0 ? text.padEnd(width) : text.padStart(NUMBER_WIDTH),
  );
  return [
    `${report.vcpus} vCPU${report.vcpus === 1 ? "" : "s"}, ${report.transport} transport, ${report.channels} event channels`,
    head.join(" "),
    ...rows,
    `host: ${hostActions.map(({ name, count }) => `${name} ${count}`).join(", ") || "no actions"}`,
    ...failures.map(({ from, text }) => `FAILED: ${from}: ${lines(text)}`),
    `${report.outcome} after ${seconds.toFixed(1)} s; the same again: ${report.command}`,
    "",
  ].join("\n");
}

/** A guest's text cannot drive the terminal; reports of ours have several lines. */
function lines(text: string): string {
  return text.split("\n").map(oneLine).join("\n  ");
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
