import assert from "node:assert/strict";
import fc from "fast-check";
import { civilFromDays, daysFromCivil, weekday } from "../../devices/civil-time.js";

describe("daysFromCivil()", () => {
  it("counts from 1970-01-01", () => {
    assert.equal(daysFromCivil(1970, 1, 1), 0);
    assert.equal(daysFromCivil(2000, 2, 29), 11_016);
    assert.equal(daysFromCivil(2038, 1, 19), 24_855);
    assert.equal(daysFromCivil(1969, 12, 31), -1);
  });

  it("agrees with the host's calendar", () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 200_000 }), (days) => {
        const date = new Date(days * 86_400_000);
        assert.deepEqual(civilFromDays(days), {
          year: date.getUTCFullYear(),
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
        });
        assert.equal(daysFromCivil(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()), days);
        assert.equal(weekday(days), date.getUTCDay() + 1);
      }),
    );
  });
});

describe("civilFromDays()", () => {
  it("knows the leap days of centuries", () => {
    assert.deepEqual(civilFromDays(11_016), { year: 2000, month: 2, day: 29 });
    assert.deepEqual(civilFromDays(daysFromCivil(2100, 2, 28) + 1), { year: 2100, month: 3, day: 1 });
  });
});

describe("weekday()", () => {
  it("counts from Sunday, 1", () => {
    assert.equal(weekday(0), 5); // a Thursday
    assert.equal(weekday(-5), 7);
    assert.equal(weekday(3), 1);
  });
});
