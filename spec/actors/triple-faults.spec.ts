import assert from "node:assert/strict";
import { TripleFaults } from "../../actors/triple-faults.js";
import type { LogRecord } from "../../shared/log.js";

const SECOND = 1e9;
const REPORT = "triple fault: why\nvCPU 0:\n  rip 0";

function fixture(): { readonly faults: TripleFaults; readonly records: LogRecord[] } {
  const records: LogRecord[] = [];
  return { faults: new TripleFaults((record) => records.push(record)), records };
}

describe("TripleFaults", () => {
  it("resets the machine, with the report as a warning", () => {
    const { faults, records } = fixture();
    assert.equal(faults.resets(REPORT, 0, false), true);
    assert.deepEqual(
      records.map(({ level, message }) => [level, message]),
      [["warn", `reset by the guest's ${REPORT}`]],
    );
  });

  it("ends the machine when the next comes within 5 s of guest time", () => {
    const { faults, records } = fixture();
    faults.resets(REPORT, 10 * SECOND, false);
    assert.equal(faults.resets(REPORT, 15 * SECOND - 1, false), false);
    assert.equal(records.length, 1, "the end has the report");
  });

  it("goes on resetting a guest that lives for longer than that", () => {
    const { faults } = fixture();
    for (let second = 0; second < 50; second += 5) assert.equal(faults.resets(REPORT, second * SECOND, false), true);
  });

  it("never resets a machine that is not to reboot", () => {
    const { faults, records } = fixture();
    assert.equal(faults.resets(REPORT, 0, true), false);
    assert.deepEqual(records, []);
  });

  it("does not flood the log", () => {
    const { faults, records } = fixture();
    for (let i = 0; i < 1000; i++) faults.resets(REPORT, i * 5 * SECOND, false);
    assert.equal(records.length, 100);
  });
});
