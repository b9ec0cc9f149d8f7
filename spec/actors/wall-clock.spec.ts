import assert from "node:assert/strict";
import { rtcOffset, wallClockMs, wallClockOffset } from "../../actors/wall-clock.js";

const NOW = new Date(Date.UTC(2026, 6, 1, 12, 30, 15, 250));

/** What the guest's clock says. */
function guestTime(base: string, now = NOW): string {
  return new Date(now.getTime() - rtcOffset(base, now)).toISOString();
}

describe("rtcOffset()", () => {
  it("is nothing for utc", () => {
    assert.equal(guestTime("utc"), "2026-07-01T12:30:15.250Z");
  });

  it("has a clock start at a date, at midnight when it has no time", () => {
    assert.equal(guestTime("2006-06-17T16:01:21"), "2006-06-17T16:01:21.000Z");
    assert.equal(guestTime("1999-12-31"), "1999-12-31T00:00:00.000Z");
  });

  it("shows the host's local time, in summer and in winter", () => {
    const zone = process.env["TZ"];
    try {
      process.env["TZ"] = "Europe/Berlin";
      assert.equal(guestTime("localtime"), "2026-07-01T14:30:15.250Z");
      assert.equal(guestTime("localtime", new Date(Date.UTC(2026, 0, 1, 23, 30))), "2026-01-02T00:30:00.000Z");
      process.env["TZ"] = "America/St_Johns";
      assert.equal(guestTime("localtime"), "2026-07-01T10:00:15.250Z");
    } finally {
      if (zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = zone;
    }
  });
});

describe("wallClockMs()", () => {
  const DATE = { base: "2006-06-17T16:01:21" } as const;
  const STARTED = Date.UTC(2006, 5, 17, 16, 1, 21);
  const now = Date.now.bind(Date);

  afterEach(() => {
    Date.now = now;
  });

  it("follows the host's clock, whoever sets it", () => {
    const rtc = { ...DATE, clock: "host" } as const;
    const offset = wallClockOffset(rtc);
    const hour = 3_600_000;
    Date.now = () => now() + hour;
    const passed = wallClockMs(rtc, offset, { nowNs: () => 0 }) - STARTED;
    assert.ok(passed >= hour && passed < hour + 60_000, String(passed));
  });

  it("follows a clock that nobody sets", () => {
    const rtc = { ...DATE, clock: "rt" } as const;
    const offset = wallClockOffset(rtc);
    Date.now = () => 0;
    const passed = wallClockMs(rtc, offset, { nowNs: () => 0 }) - STARTED;
    // The two clocks that it is made from may differ by some milliseconds.
    assert.ok(passed >= -10 && passed < 60_000, String(passed));
  });

  it("follows the machine's own time, which stands while that is paused", () => {
    const rtc = { ...DATE, clock: "vm" } as const;
    const offset = wallClockOffset(rtc);
    assert.equal(wallClockMs(rtc, offset, { nowNs: () => 0 }), STARTED);
    assert.equal(wallClockMs(rtc, offset, { nowNs: () => 90e9 }), STARTED + 90_000);
  });
});
