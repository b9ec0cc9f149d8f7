/** [MC146818A] Motorola MC146818A, ADI1026, table 2 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { alarmDelay, decodeTime, encodeTime } from "../../devices/rtc-calendar.js";

/** 2026-03-15 (a Sunday) 14:07:59 UTC. */
const MOMENT = Date.UTC(2026, 2, 15, 14, 7, 59) / 1000;
const REGISTER_B = 0x0b;

function registers(mode: number, second: number): Uint8Array {
  const cmos = new Uint8Array(128);
  cmos[REGISTER_B] = mode;
  encodeTime(second, cmos);
  return cmos;
}

function alarm(mode: number, ...[hours, minutes, seconds]: readonly [number, number, number]): Uint8Array {
  const cmos = new Uint8Array(128);
  cmos[REGISTER_B] = mode;
  cmos[5] = hours;
  cmos[3] = minutes;
  cmos[1] = seconds;
  return cmos;
}

describe("encodeTime()", () => {
  it("writes BCD on a 24-hour clock", () => {
    const cmos = registers(0x02, MOMENT);
    assert.deepEqual([...cmos.subarray(0, 10)], [0x59, 0, 0x07, 0, 0x14, 0, 0x01, 0x15, 0x03, 0x26]);
    assert.equal(cmos[0x32], 0x20);
  });

  it("writes binary on a 12-hour clock, afternoon in the top bit", () => {
    const cmos = registers(0x04, MOMENT);
    assert.deepEqual([...cmos.subarray(0, 10)], [59, 0, 7, 0, 0x82, 0, 1, 15, 3, 26]);
    assert.equal(cmos[0x32], 20);
  });

  it("calls midnight and noon 12", () => {
    assert.equal(registers(0x00, Date.UTC(2026, 0, 1, 0) / 1000)[4], 0x12);
    assert.equal(registers(0x00, Date.UTC(2026, 0, 1, 12) / 1000)[4], 0x92);
  });
});

describe("decodeTime()", () => {
  it("is encodeTime's inverse in every mode", () => {
    const second = fc.integer({ min: 0, max: Date.UTC(2099, 11, 31, 23, 59, 59) / 1000 });
    fc.assert(
      fc.property(second, fc.constantFrom(0, 2, 4, 6), (moment, mode) => {
        assert.equal(decodeTime(registers(mode, moment)), moment);
      }),
    );
  });

  it("gives a finite time for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 128, maxLength: 128 }), (cmos) => {
        assert.ok(Number.isSafeInteger(decodeTime(cmos)));
      }),
    );
  });
});

describe("alarmDelay()", () => {
  it("counts to the next match of all three", () => {
    assert.equal(alarmDelay(MOMENT, alarm(0x02, 0x14, 0x08, 0x00)), 1);
    assert.equal(alarmDelay(MOMENT, alarm(0x02, 0x14, 0x07, 0x59)), 86_400);
    assert.equal(alarmDelay(MOMENT, alarm(0x02, 0x02, 0x00, 0x00)), 42_721);
  });

  it("takes bytes from 0xc0 up as any", () => {
    assert.equal(alarmDelay(MOMENT, alarm(0x02, 0xff, 0xff, 0xff)), 1);
    assert.equal(alarmDelay(MOMENT, alarm(0x02, 0xff, 0xc0, 0x30)), 31);
    assert.equal(alarmDelay(MOMENT, alarm(0x02, 0xff, 0x05, 0x00)), 3421);
  });

  it("never comes for times that no clock shows", () => {
    assert.equal(alarmDelay(MOMENT, alarm(0x02, 0x25, 0xff, 0xff)), Infinity);
    assert.equal(alarmDelay(MOMENT, alarm(0x06, 0xff, 0xff, 60)), Infinity);
  });

  it("finds what a search second by second finds", () => {
    const byte = fc.oneof(fc.nat(24), fc.nat(255));
    fc.assert(
      fc.property(fc.nat(200_000), byte, byte, fc.nat(255), (second, hours, minutes, seconds) => {
        const cmos = alarm(0x06, hours, minutes, seconds);
        const matches = (at: number): boolean =>
          (hours >= 0xc0 || Math.floor(at / 3600) % 24 === hours) &&
          (minutes >= 0xc0 || Math.floor(at / 60) % 60 === minutes) &&
          (seconds >= 0xc0 || at % 60 === seconds);
        let expected = 1;
        while (expected <= 86_400 && !matches(second + expected)) expected++;
        assert.equal(alarmDelay(second, cmos), expected > 86_400 ? Infinity : expected);
      }),
      { numRuns: 30 },
    );
  });
});
