import assert from "node:assert/strict";
import { TrayReports } from "../../actors/tray-reports.js";

describe("TrayReports", () => {
  const moved = new Map<number, boolean>();
  const told: (readonly [number, boolean])[] = [];
  let reports = new TrayReports({ drives: [], takeMove: () => undefined, tell: () => undefined });

  beforeEach(() => {
    moved.clear();
    told.length = 0;
    reports = new TrayReports({
      drives: [2, 3],
      takeMove: (index) => {
        const open = moved.get(index);
        moved.delete(index);
        return open;
      },
      tell: (index, open) => told.push([index, open]),
    });
  });

  it("tells of a tray that has moved, once", () => {
    moved.set(3, true);
    reports.poll();
    reports.poll();
    assert.deepEqual(told, [[3, true]]);
  });

  it("waits with the next report on a drive until the last one was heard, and tells where the tray is then", () => {
    for (let i = 0; i < 1001; i++) {
      moved.set(2, i % 2 === 0);
      reports.poll();
    }
    assert.deepEqual(told, [[2, true]]);
    moved.set(2, false);
    reports.heard(2);
    assert.deepEqual(told, [
      [2, true],
      [2, false],
    ]);
  });

  it("tells of one drive while another's report is under way", () => {
    moved.set(2, true);
    reports.poll();
    moved.set(3, true);
    reports.poll();
    assert.deepEqual(told, [
      [2, true],
      [3, true],
    ]);
  });
});
