import assert from "node:assert/strict";
import { createEventfd, Doorbell } from "../../../actors/host/eventfd.js";
import { Poll } from "../../../actors/host/poller.js";
import { SYS } from "../../../actors/host/libc.js";
import { hostFixture } from "../../support/host-fixture.js";

const MS = 1e6;

describe("Poller", () => {
  const { libc, scratch, poller } = hostFixture();
  const bells: Doorbell[] = [];

  function bell(): Doorbell {
    const made = new Doorbell(libc, scratch, createEventfd(libc), new Int32Array(new SharedArrayBuffer(4)));
    bells.push(made);
    return made;
  }

  afterEach(() => {
    for (const { fd } of bells.splice(0)) {
      poller.unwatch(fd);
      libc.syscall(SYS.close, fd);
    }
  });

  it("calls whoever is ready, and nobody else", () => {
    const [one, two] = [bell(), bell()];
    const seen: string[] = [];
    poller.watch(one.fd, Poll.in, () => seen.push("one"));
    poller.watch(two.fd, Poll.in, () => seen.push("two"));
    two.ring();
    poller.wait(1000 * MS);
    assert.deepEqual(seen, ["two"]);
  });

  it("waits for its time and no longer, down to nanoseconds", () => {
    const start = performance.now();
    poller.wait(20 * MS + 1);
    const waited = performance.now() - start;
    assert(waited >= 20 && waited < 1000);
    poller.wait(-5);
    poller.wait(0);
  });

  it("lets a handler unwatch another that was ready too", () => {
    const [one, two] = [bell(), bell()];
    const seen: string[] = [];
    const handler = (name: string, other: Doorbell) => () => {
      seen.push(name);
      poller.unwatch(other.fd);
    };
    poller.watch(one.fd, Poll.in, handler("one", two));
    poller.watch(two.fd, Poll.in, handler("two", one));
    one.ring();
    two.ring();
    poller.wait(1000 * MS);
    assert.deepEqual(seen, ["one"]);
  });

  it("replaces a watch of the same descriptor", () => {
    const one = bell();
    const seen: string[] = [];
    poller.watch(one.fd, Poll.in, () => seen.push("old"));
    poller.watch(one.fd, Poll.in, () => seen.push("new"));
    one.ring();
    poller.wait(1000 * MS);
    assert.deepEqual(seen, ["new"]);
  });

  it("looks again at what hung up, after a while and once", () => {
    const one = bell();
    let looks = 0;
    poller.lookLater(one.fd, () => {
      looks++;
    });
    const start = performance.now();
    while (looks === 0 && performance.now() - start < 3000) poller.wait(Infinity);
    assert.equal(looks, 1);
    assert(performance.now() - start >= 200);
    poller.wait(5 * MS);
    assert.equal(looks, 1);
  });

  it("holds 64 descriptors and refuses more", () => {
    const many = Array.from({ length: 65 }, bell);
    assert.throws(
      () => {
        for (const { fd } of many) poller.watch(fd, Poll.in, () => undefined);
      },
      { name: "RangeError", message: /more than 64/ },
    );
  });
});

describe("Doorbell", () => {
  const { libc, scratch, poller } = hostFixture();

  it("wakes once for any number of rings, and again after it was answered", () => {
    const fd = createEventfd(libc);
    const bell = new Doorbell(libc, scratch, fd, new Int32Array(new SharedArrayBuffer(4)));
    let wakes = 0;
    poller.watch(fd, Poll.in, () => {
      wakes++;
      bell.answer();
    });
    for (let i = 0; i < 100; i++) bell.ring();
    poller.wait(1000 * MS);
    poller.wait(0);
    assert.equal(wakes, 1);
    bell.ring();
    poller.wait(1000 * MS);
    assert.equal(wakes, 2);
    poller.unwatch(fd);
    libc.syscall(SYS.close, fd);
  });

  it("is heard when KVM rings the descriptor by itself", () => {
    const fd = createEventfd(libc);
    const bell = new Doorbell(libc, scratch, fd, new Int32Array(new SharedArrayBuffer(4)));
    const one = scratch.take(8);
    new DataView(scratch.memory.buffer).setBigUint64(one, 1n, true);
    libc.syscall(SYS.write, fd, scratch.memory.hva + one, 8);
    let wakes = 0;
    poller.watch(fd, Poll.in, () => {
      wakes++;
      bell.answer();
    });
    poller.wait(1000 * MS);
    poller.wait(0);
    assert.equal(wakes, 1);
    poller.unwatch(fd);
    libc.syscall(SYS.close, fd);
  });

  it("can be answered without having been rung", () => {
    const fd = createEventfd(libc);
    new Doorbell(libc, scratch, fd, new Int32Array(new SharedArrayBuffer(4))).answer();
    libc.syscall(SYS.close, fd);
  });
});
