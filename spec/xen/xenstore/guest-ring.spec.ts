/** The ring page, as docs/misc/xenstore-ring.txt has it, driven by a guest that keeps to it and by one that does not. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { domId } from "../../../shared/brand.js";
import { logTo } from "../../../shared/log.js";
import { GuestStoreRing } from "../../../xen/xenstore/guest-ring.js";
import { XenStore } from "../../../xen/xenstore/store.js";
import { parseRequest } from "./store-driver.js";

/** Offsets of xenstore-ring.txt. */
const REQ_CONS = 2048;
const REQ_PROD = 2052;
const RSP_CONS = 2056;
const RSP_PROD = 2060;
const FEATURES = 2064;
const CONNECTION = 2068;
const ERROR = 2072;

class Guest {
  readonly page = new Uint8Array(new SharedArrayBuffer(4096));
  readonly store = new XenStore();
  readonly ring: GuestStoreRing;
  readonly #view = new DataView(this.page.buffer);
  readonly warnings: string[] = [];
  notifications = 0;

  constructor() {
    this.ring = new GuestStoreRing(this.page, this.store, domId(1), {
      log: logTo("xenstore", (record) => this.warnings.push(record.message)),
      notify: () => this.notifications++,
    });
    this.ring.reset();
    const client = this.store.client();
    client.write("/local/domain/1/data", "");
    client.setPermissions("/local/domain/1/data", ["n1"]);
  }

  word(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  poke(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  /** Puts as many bytes into the request ring as fit, and says how many. */
  push(bytes: Uint8Array): number {
    const producer = this.word(REQ_PROD);
    const count = Math.max(0, Math.min(bytes.length, 1024 - ((producer - this.word(REQ_CONS)) >>> 0)));
    for (let i = 0; i < count; i++) this.page[(producer + i) & 1023] = bytes[i] ?? 0;
    this.poke(REQ_PROD, producer + count);
    return count;
  }

  /** All bytes that wait in the response ring. */
  pull(): Uint8Array {
    const consumer = this.word(RSP_CONS);
    const count = Math.min(1024, (this.word(RSP_PROD) - consumer) >>> 0);
    const bytes = Uint8Array.from({ length: count }, (_, i) => this.page[1024 + ((consumer + i) & 1023)] ?? 0);
    this.poke(RSP_CONS, consumer + count);
    return bytes;
  }

  /** Sends one request and collects what comes back: "type:payload" each, with "|" for NUL. */
  ask(request: string, txId = 0): string[] {
    let left = encode(request, txId);
    const received: number[] = [];
    do {
      const pushed = this.push(left);
      assert(pushed > 0, "the server takes requests");
      left = left.subarray(pushed);
      this.ring.process();
      received.push(...this.pull());
    } while (left.length > 0);
    for (let more = true; more;) {
      this.ring.process();
      const bytes = this.pull();
      received.push(...bytes);
      more = bytes.length > 0;
    }
    return messages(Uint8Array.from(received));
  }
}

function encode(request: string, txId = 0, reqId = 5): Uint8Array {
  const { type, payload } = parseRequest(request);
  const bytes = new Uint8Array(16 + payload.length);
  bytes.set(new Uint8Array(Uint32Array.of(type, reqId, txId, payload.length).buffer));
  bytes.set(payload, 16);
  return bytes;
}

function messages(bytes: Uint8Array): string[] {
  const found: string[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint32(at + 12, true);
    const payload = Array.from(bytes.subarray(at + 16, at + 16 + length), (byte) => String.fromCharCode(byte));
    found.push(`${view.getUint32(at, true)}:${payload.join("").replaceAll("\0", "|")}`);
    at += 16 + length;
  }
  return found;
}

/** XsType numbers of replies. */
const OK_WRITE = "11:OK|";

describe("GuestStoreRing", () => {
  it("offers reconnection and the error word from the start", () => {
    const guest = new Guest();
    assert.equal(guest.word(FEATURES), 3);
    assert.equal(guest.word(CONNECTION), 0);
    assert.equal(guest.word(ERROR), 0);
  });

  it("serves requests and notifies once for a batch", () => {
    const guest = new Guest();
    guest.push(encode("WRITE data/x|1"));
    guest.push(encode("READ data/x|"));
    assert.equal(guest.ring.process(), false);
    assert.equal(guest.notifications, 1);
    assert.deepEqual(messages(guest.pull()), [OK_WRITE, "2:1"]);
    guest.ring.process();
    assert.equal(guest.notifications, 1);
  });

  it("replies before the events that the request makes, and sends events of others at dispatch", () => {
    const guest = new Guest();
    assert.deepEqual(guest.ask("WATCH data|t|"), ["4:OK|", "15:data|t|"]);
    assert.deepEqual(guest.ask("WRITE data/x|1"), [OK_WRITE, "15:data/x|t|"]);
    guest.store.client().write("/local/domain/1/data/y", "2");
    assert.equal(guest.word(RSP_PROD), guest.word(RSP_CONS));
    guest.store.dispatch();
    assert.deepEqual(messages(guest.pull()), ["15:data/y|t|"]);
  });

  it("moves messages that are longer than the ring", () => {
    const guest = new Guest();
    const value = "v".repeat(2000);
    assert.deepEqual(guest.ask(`WRITE data/x|${value}`), [OK_WRITE]);
    assert.deepEqual(guest.ask("READ data/x|"), [`2:${value}`]);
  });

  it("X1: a payload above 4096 bytes is a protocol error; the store lives", () => {
    const guest = new Guest();
    guest.push(new Uint8Array(Uint32Array.of(2, 0, 0, 4097).buffer));
    guest.ring.process();
    assert.equal(guest.word(ERROR), 3);
    assert.equal(guest.notifications, 1);
    assert.equal(guest.store.client().read("/local/domain/1/data"), "");
  });

  it("X1: a payload of 4096 bytes is served", () => {
    assert.deepEqual(new Guest().ask(`READ ${"x".repeat(4095)}|`), ["16:EINVAL|"]);
  });

  it("X2: more requests than the ring holds are an index error", () => {
    const guest = new Guest();
    guest.poke(REQ_PROD, 1025);
    guest.ring.process();
    assert.equal(guest.word(ERROR), 2);
    guest.poke(REQ_PROD, 0);
    guest.push(encode("READ data|"));
    guest.ring.process();
    assert.equal(guest.pull().length, 0, "silence until the guest reconnects");
    assert.equal(guest.warnings.length, 1);
  });

  it("X2: so are more replies, once there is something to send", () => {
    const guest = new Guest();
    guest.push(encode("READ data|"));
    guest.poke(RSP_CONS, 1);
    guest.ring.process();
    assert.equal(guest.word(ERROR), 2);
  });

  it("X3: stops serving a guest that does not read, and goes on when it does", () => {
    const guest = new Guest();
    for (let i = 0; i < 2000; i++) {
      guest.push(encode("GET_DOMAIN_PATH 1|"));
      guest.ring.process();
    }
    assert.equal(guest.word(RSP_PROD), 1024);
    // 29 replies fill the ring and 20 more wait; the requests behind them stay in the guest's ring.
    const waiting = guest.ring.save().connection.outbox.messages.length;
    assert.equal(waiting, 20);
    assert((guest.word(REQ_PROD) - guest.word(REQ_CONS)) >>> 0 > 1000);
    let received = 0;
    for (let bytes = guest.pull(); bytes.length > 0; bytes = guest.pull()) {
      received += bytes.length;
      while (guest.ring.process()) received += guest.pull().length;
    }
    assert.equal(guest.word(REQ_PROD), guest.word(REQ_CONS));
    assert(received > 3000);
  });

  it("X4: indices go round 2^32", () => {
    const guest = new Guest();
    for (const offset of [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD]) guest.poke(offset, 0xffff_fff0);
    assert.deepEqual(guest.ask("WRITE data/x|1"), [OK_WRITE]);
    assert.deepEqual(guest.ask("READ data/x|"), ["2:1"]);
    assert(guest.word(REQ_CONS) < 1024);
    assert.equal(guest.word(ERROR), 0);
  });

  it("X5: takes a request byte by byte, and waits for the rest for ever", () => {
    const guest = new Guest();
    const bytes = encode("WRITE data/x|1");
    for (const byte of bytes.subarray(0, -1)) {
      guest.push(Uint8Array.of(byte));
      guest.ring.process();
      assert.equal(guest.pull().length, 0);
    }
    guest.push(bytes.subarray(-1));
    guest.ring.process();
    assert.deepEqual(messages(guest.pull()), [OK_WRITE]);
  });

  it("X23: reconnects in the middle of a message, with nothing left of the old connection", () => {
    const guest = new Guest();
    guest.ask("WATCH data|t|");
    guest.ask("TRANSACTION_START |");
    guest.push(encode("WRITE data/x|1").subarray(0, 20));
    guest.ring.process();
    guest.poke(CONNECTION, 1);
    const before = guest.notifications;
    guest.ring.process();
    assert.equal(guest.word(CONNECTION), 0);
    assert.equal(guest.notifications, before + 1);
    for (const offset of [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, ERROR]) assert.equal(guest.word(offset), 0);
    assert.deepEqual(guest.ask("WRITE data/x|2"), [OK_WRITE]);
    assert.deepEqual(guest.ask("READ data/x|", 1), ["16:ENOENT|"]);
  });

  it("X23: reconnects after any error; the store never dies", () => {
    const guest = new Guest();
    for (let round = 0; round < 50; round++) {
      guest.poke(round % 2 === 0 ? REQ_PROD : RSP_CONS, guest.word(REQ_PROD) + 5000);
      guest.push(encode("READ data|"));
      guest.ring.process();
      assert.notEqual(guest.word(ERROR), 0);
      guest.poke(CONNECTION, 1);
      guest.ring.process();
      assert.equal(guest.word(ERROR), 0);
      assert.deepEqual(guest.ask("READ data|"), ["2:"]);
    }
    assert(guest.warnings.length <= 6, "warnings are limited");
  });

  it("X27: reads indices afresh when the guest writes ours, or wipes the page", () => {
    const guest = new Guest();
    guest.ask("READ data|");
    guest.poke(REQ_CONS, 12_345);
    guest.poke(RSP_PROD, 54_321);
    guest.ring.process();
    assert.equal(guest.word(ERROR), 2);

    const wiped = new Guest();
    wiped.ask("READ data|");
    wiped.page.fill(0);
    assert.deepEqual(wiped.ask("READ data|"), ["2:"]);
  });

  it("serves 64 requests in one call and asks to be called again", () => {
    const guest = new Guest();
    // One kick for 64 requests of 16 bytes, which is all that the ring holds; a guest may refill it meanwhile.
    for (let i = 0; i < 64; i++) guest.push(encode("RESET_WATCHES"));
    assert.equal(guest.ring.process(), true);
    assert.equal(guest.word(REQ_CONS), 1024);
    assert.equal(guest.ring.process(), false);
  });

  it("goes on after save and restore, in the middle of a request", () => {
    const guest = new Guest();
    guest.ask("WATCH data|t|");
    guest.ask("TRANSACTION_START |");
    guest.ask("WRITE data/x|1", 1);
    const bytes = encode("WRITE data/y|2");
    guest.push(bytes.subarray(0, 19));
    guest.ring.process();
    const saved = structuredClone({ store: guest.store.save(), ring: guest.ring.save() });

    const other = new Guest();
    other.page.set(guest.page);
    other.store.restore(saved.store);
    other.ring.restore(saved.ring);
    other.push(bytes.subarray(19));
    other.ring.process();
    assert.deepEqual(messages(other.pull()), [OK_WRITE, "15:data/y|t|"]);
    assert.deepEqual(other.ask("READ data|", 1), ["2:"]);
    assert.deepEqual(other.ask("TRANSACTION_END T|", 1), ["16:EAGAIN|"]);
    assert.deepEqual(other.ask("TRANSACTION_START |"), ["6:2|"]);
    assert.throws(() => {
      other.ring.restore({ ...saved.ring, version: 2 });
    }, RangeError);
  });

  it("refuses a page of another size", () => {
    assert.throws(
      () => new GuestStoreRing(new Uint8Array(100), new XenStore(), domId(1), new Guest().ring as never),
      RangeError,
    );
  });

  it("never throws and always comes back, whatever bytes and indices it meets", () => {
    const index = fc.oneof(fc.nat({ max: 3000 }), fc.constantFrom(0xffff_ffff, 0x8000_0000, 1024, 1025));
    const action = fc.oneof(
      fc.record({ kind: fc.constant("bytes"), bytes: fc.uint8Array({ maxLength: 200 }) }),
      fc.record({
        kind: fc.constant("request"),
        bytes: fc
          .constantFrom("WRITE data/x|1", "WATCH data|t|", "RM data/x|", "TRANSACTION_START |")
          .map((text) => encode(text)),
      }),
      fc.record({
        kind: fc.constant("poke"),
        offset: fc.constantFrom(REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, FEATURES, CONNECTION, ERROR),
        value: index,
      }),
      fc.record({ kind: fc.constant("pull") }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
        const guest = new Guest();
        for (const step of actions) {
          if ("bytes" in step) guest.push(step.bytes);
          else if ("offset" in step) guest.poke(step.offset, step.value);
          else guest.poke(RSP_CONS, guest.word(RSP_PROD));
          guest.ring.process();
        }
        guest.poke(CONNECTION, 1);
        guest.ring.process();
        assert.deepEqual(guest.ask("GET_DOMAIN_PATH 1|"), ["10:/local/domain/1|"]);
      }),
      { numRuns: 300 },
    );
  });
});
