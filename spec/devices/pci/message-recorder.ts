/** A sink for specs: remembers what was sent, and knows PIRQs by hand. */
import type { MessageSource, MsiSink } from "../../../devices/pci/msi-sink.js";

export class MessageRecorder implements MsiSink {
  /** "high:low data", hexadecimal, in order. */
  readonly sent: string[] = [];
  readonly sources: MessageSource[] = [];
  readonly bound = new Set<number>();

  signal(low: number, high: number, data: number): boolean {
    this.sent.push(`${high.toString(16)}:${low.toString(16)} ${data.toString(16)}`);
    return true;
  }

  isPirqBound(pirq: number): boolean {
    return this.bound.has(pirq);
  }

  enlist(source: MessageSource): void {
    this.sources.push(source);
  }

  /** What was sent since the last call. */
  take(): readonly string[] {
    return this.sent.splice(0);
  }
}
