import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { processorBrand } from "../../../actors/host/processor-brand.js";
import { temporaryFolder } from "../../support/temporary.js";

describe("processorBrand()", () => {
  const folder = temporaryFolder();

  it("is what the host says of its first processor", () => {
    const said = /^model name\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "latin1"))?.[1] ?? "";
    assert.equal(processorBrand(), said);
  });

  it("is empty where the host does not say, or has no such file", () => {
    assert.equal(processorBrand(folder.file("cpuinfo", "processor\t: 0\nmodel\t\t: 17\n")), "");
    assert.equal(processorBrand(folder.path("nothing")), "");
  });
});
