/** A host on a network of frames, by itself: 10.0.2.2, which answers ARP and sends UDP datagrams back. */

const MAC = [0x52, 0x55, 0x0a, 0x00, 0x02, 0x02];
const ADDRESS = [10, 0, 2, 2];
const TYPE_IP = 0x0800;
const TYPE_ARP = 0x0806;
const PROTOCOL_UDP = 17;

export class EchoHost {
  readonly counters = { arp: 0, echoes: 0, wrong: 0, other: 0 };

  /** What is answered to `frame`, if anything. */
  answer(frame: Uint8Array): Uint8Array | undefined {
    const type = word(frame, 12);
    if (type === TYPE_ARP && word(frame, 20) === 1 && ADDRESS.every((byte, i) => frame[38 + i] === byte)) {
      this.counters.arp++;
      const asker = frame.slice(22, 32);
      return Uint8Array.from([
        ...asker.slice(0, 6),
        ...MAC,
        8,
        6,
        0,
        1,
        8,
        0,
        6,
        4,
        0,
        2,
        ...MAC,
        ...ADDRESS,
        ...asker,
      ]);
    }
    if (type === TYPE_IP && frame[23] === PROTOCOL_UDP) return this.#echo(frame);
    this.counters.other++;
    return undefined;
  }

  #echo(frame: Uint8Array): Uint8Array | undefined {
    const length = word(frame, 38);
    const right =
      sum(frame, 14, 20) === 0xffff &&
      pseudo(frame, length) === 0xffff &&
      word(frame, 16) === length + 20 &&
      length >= 8;
    if (!right) {
      this.counters.wrong++;
      return undefined;
    }
    this.counters.echoes++;
    const back = Uint8Array.from(frame);
    // Sender and target change places in all three headers: no checksum changes.
    for (const [a, b, bytes] of [
      [0, 6, 6],
      [26, 30, 4],
      [34, 36, 2],
    ] as const) {
      back.set(frame.subarray(a, a + bytes), b);
      back.set(frame.subarray(b, b + bytes), a);
    }
    return back;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** The sum of the Internet checksum: 0xffff when the checksum is in it and right. */
function sum(bytes: Uint8Array, at: number, length: number, start = 0): number {
  let total = start;
  for (let i = 0; i < length; i += 2) total += i + 1 < length ? word(bytes, at + i) : (bytes[at + i] ?? 0) << 8;
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x1_0000);
  return total;
}

function pseudo(frame: Uint8Array, length: number): number {
  return sum(frame, 34, length, sum(frame, 26, 8, PROTOCOL_UDP + length));
}
