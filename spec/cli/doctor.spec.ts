import assert from "node:assert/strict";
import { doctorCommand } from "../../cli/doctor.js";
import { OFFLOAD_NAMES } from "../../cli/options/offloads.js";
import { UsageError } from "../../cli/usage.js";
import { inspectHost } from "../../index.js";
import type { HostInspection } from "../../index.js";

const GOOD: HostInspection = {
  findings: [
    { name: "kvm", present: true, required: true, text: "there" },
    { name: "passt", present: false, required: false, text: "no user network" },
  ],
  transport: "userspace",
};
const BAD: HostInspection = {
  findings: [{ name: "kvm", present: false, required: true, text: "Cannot open /dev/kvm" }],
  transport: undefined,
};

async function doctor(argv: readonly string[], inspection = GOOD): Promise<readonly [code: number, text: string]> {
  let text = "";
  const code = await doctorCommand(argv, {
    inspect: () => Promise.resolve(inspection),
    write(more) {
      text += more;
    },
  });
  return [code, text];
}

describe("xenolith doctor", () => {
  it("has a line for each finding, and a verdict", async () => {
    assert.deepEqual(await doctor([]), [
      0,
      "yes  kvm    there\nno   passt  no user network\n\nMachines run here, with the userspace transport.\n",
    ]);
  });

  it("fails where no machine can run", async () => {
    assert.deepEqual(await doctor([], BAD), [1, "NO   kvm  Cannot open /dev/kvm\n\nNo machine can run here.\n"]);
  });

  it("is one JSON object on request", async () => {
    const [, text] = await doctor(["-json"]);
    assert.deepEqual(JSON.parse(text), GOOD);
  });

  it("knows its options", async () => {
    assert.match((await doctor(["--help"]))[1], /^usage: xenolith doctor/);
    await assert.rejects(doctor(["--jsn"]), (error: unknown) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /unknown argument '--jsn': did you mean 'json'/);
      return true;
    });
  });
});

describe("inspectHost()", () => {
  it("finds each thing once, and agrees with itself", () => {
    const { findings, transport } = inspectHost();
    const names = findings.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
    const kvm = findings.find(({ name }) => name === "kvm");
    assert.equal(kvm?.present, transport !== undefined);
    for (const name of ["koffi", "seabios", "passt"]) assert.ok(names.includes(name));
    if (!kvm.present) return;
    // Each piece of KVM's Xen support, by the name that --accel kvm,xen-offload-…=off has for it.
    for (const name of OFFLOAD_NAMES) {
      const finding = findings.find((candidate) => candidate.name === `xen-${name}`);
      assert.ok(finding !== undefined && finding.text !== "", name);
    }
    assert.ok(names.includes("hyperv"));
    const needed = ["xen-hypercall-msr", "xen-intercept-hcall", "xen-shared-info"];
    const all = needed.every((name) => findings.find((finding) => finding.name === name)?.present === true);
    if (transport !== undefined) assert.equal(transport, all ? "kernel" : "userspace");
  });
});
