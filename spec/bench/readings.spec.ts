/** How the benchmarks read what guests and the host tell them. */
import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { BenchError } from "./errors.js";
import { cyclesOf, nanosecondsOf } from "./guest-report.js";
import { linuxFigures, linuxScript } from "./linux-script.js";
import { portImage, reportedCycles } from "./port-image.js";
import { overheadOf } from "./resident-memory.js";

const MIB = 1024 * 1024;

describe("images of the port loop", () => {
  const image = Buffer.concat([Buffer.from("\x7fELF...."), Buffer.from("XLBENCH1"), Buffer.alloc(8, 0xee)]);

  it("get their parameters behind the magic, in a copy", () => {
    const patched = portImage(image, { iterations: 0x01020304, port: 0x300, direction: "in" });
    assert.deepEqual([...patched.subarray(16)], [4, 3, 2, 1, 0x00, 0x03, 1, 0xee]);
    assert.deepEqual(patched.subarray(0, 16), image.subarray(0, 16));
    assert.equal(image[16], 0xee);
  });

  it("are told by their magic", () => {
    assert.throws(() => portImage(Buffer.alloc(64), { iterations: 1, port: 0, direction: "out" }), RangeError);
  });
});

describe("the port loop's report", () => {
  it("is a line of 16 hexadecimal digits", () => {
    assert.equal(reportedCycles("00000000000001ff\n"), 0x1ff);
    for (const output of ["", "1ff\n", "00000000000001ff", "00000000000001fg\n", "00000000000001ff\nmore"]) {
      assert.throws(() => reportedCycles(output), BenchError);
    }
  });
});

describe("the bench guest's report", () => {
  const report = "tsc-hz 2000000000\r\nbench hypercall 1000 4000000\r\nbench evtchn-ipi 10 1000\r\n";

  it("gives cycles of all iterations and what a cycle is", () => {
    assert.equal(nanosecondsOf(report, "hypercall"), 2000);
    assert.equal(nanosecondsOf(report, "evtchn-ipi"), 50);
    assert.equal(cyclesOf("bench pio-out 10 4000\n", "pio-out"), 400);
  });

  it("can lack what was asked for", () => {
    assert.throws(() => nanosecondsOf(report, "pio-out"), BenchError);
    assert.throws(() => nanosecondsOf("bench hypercall 1000 4000000\n", "hypercall"), BenchError);
    assert.throws(() => nanosecondsOf("tsc-hz 1000\nskipped hypercall\n", "hypercall"), BenchError);
  });
});

describe("the Linux guest's report", () => {
  const console =
    "== init\nbench-start 10.50\nbench-moved 11.50\nbench-read 11.75\nbench-ide-start 12.00\nbench-ide-read 12.50\n";

  it("gives seconds per GiB for 64 MiB each way, and microseconds for each of 200 reads", () => {
    assert.deepEqual(linuxFigures(console, 9.5, true), {
      "boot-to-init": 9.5,
      "disk-throughput": 8,
      "disk-latency-4k": 1250,
      "ide-throughput": 8,
    });
  });

  it("is not looked at when the disk is not used", () => {
    assert.equal(linuxFigures("", 9.5, false)["boot-to-init"], 9.5);
    assert.doesNotMatch(linuxScript(false), /xvda/);
    assert.match(linuxScript(true), /xvda/);
  });

  it("must be whole", () => {
    assert.throws(() => linuxFigures("bench-start 1.00\nbench-moved 2.00\nbench-read 3.00\n", 9.5, true), BenchError);
  });
});

describe("resident memory beyond guest RAM", () => {
  const mapping = (sizeKib: number, rssKib: number): string =>
    `7f0000000000-7f0008000000 rw-p 00000000 00:00 0\nSize:${sizeKib.toString().padStart(15)} kB\n` +
    `KernelPageSize:        4 kB\nRss:${rssKib.toString().padStart(16)} kB\nPss:${rssKib.toString().padStart(16)} kB\n`;

  it("is the sum over all mappings but those as large as guest RAM", () => {
    const smaps = mapping(7612, 7028) + mapping(131072, 50000) + mapping(10354688, 0) + mapping(4460, 4232);
    assert.equal(overheadOf(smaps, 128 * MIB), (7028 + 4232) * 1024);
  });
});
