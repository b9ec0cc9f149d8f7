/** How the CD-ROM's specs speak to it: packets in hex, answers as text. */
import assert from "node:assert/strict";
import { Cdrom } from "../../../../devices/ide/atapi/cdrom.js";
import { smallArena } from "../../port-driver.js";

export const MIB = 1024 * 1024;
/** A CD of 1000 blocks. */
export const CD_BYTES = 1000 * 2048;
/** A DVD of 2,000,000 blocks. */
export const DVD_BYTES = 2_000_000 * 2048;

/** A packet, shorter than 12 bytes where zeros follow, and what it answers. */
export type PacketStep = readonly [packet: string, answer: string];

export class PacketDriver {
  readonly moves: string[] = [];
  readonly drive = new Cdrom(
    smallArena(),
    { trayMoved: (open) => this.moves.push(open ? "opened" : "closed") },
    { model: "XENOLITH DVD-ROM", serial: "XL00003", firmware: "1.0" },
  );
  readonly target = new Uint8Array(65_536);

  /** After power-on, with the reset's unit attention taken. `bytes` of medium, 0 for none. */
  constructor(bytes = CD_BYTES) {
    if (bytes > 0) this.drive.load(bytes);
    this.drive.reset();
    assert.equal(this.send("00"), "6/29/00");
  }

  /** "done", the data in hex, "read FIRST BLOCK + BLOCKS", or the sense key, code and qualifier of the refusal. */
  send(packet: string): string {
    const bytes = new Uint8Array(12);
    bytes.set(Buffer.from(packet.replaceAll(" ", ""), "hex"));
    // What was there before must not be seen.
    this.target.fill(0xee);
    const reply = this.drive.execute(bytes, this.target);
    switch (reply.kind) {
      case "done":
        return "done";
      case "data":
        return hex(this.target.subarray(0, reply.length));
      case "read":
        return `read ${reply.offset / 2048} + ${reply.length / 2048}`;
      default: {
        const sense = this.sense();
        assert.equal(Number(sense[0]), reply.sense);
        return sense;
      }
    }
  }

  /** What REQUEST SENSE says. */
  sense(): string {
    const data = new Uint8Array(65_536);
    const reply = this.drive.execute(Uint8Array.of(0x03, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0), data);
    assert.deepEqual(reply, { kind: "data", length: 18 });
    return `${(data[2] ?? 0).toString(16)}/${hex(data.subarray(12, 13))}/${hex(data.subarray(13, 14))}`;
  }

  run(...steps: readonly PacketStep[]): void {
    for (const [packet, answer] of steps) assert.equal(this.send(packet), answer.replaceAll("  ", " "), packet);
  }
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex").replace(/../g, "$& ").trimEnd();
}
