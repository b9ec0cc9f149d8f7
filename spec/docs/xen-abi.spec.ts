/** docs/xen-abi.md is what the dispatch table says. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Errno } from "../../xen/abi/errno.js";
import type { Hypercall } from "../../xen/hypercalls/call.js";
import { multicall } from "../../xen/hypercalls/multicall.js";
import { HYPERCALLS } from "../../xen/hypercalls/table.js";
import { PROJECT } from "../support/project.js";
import { TABLES } from "../xen/hypercalls/tables/all.js";
import type { Table } from "../xen/hypercalls/tables/row.js";

interface Generator {
  renderXenAbi(
    hypercalls: readonly Hypercall[],
    errno: Readonly<Record<string, number>>,
    tables: readonly Table[],
  ): string;
}

async function render(hypercalls: readonly Hypercall[]): Promise<string> {
  const script = pathToFileURL(join(PROJECT, "scripts", "xen-abi.mjs")).href;
  return ((await import(script)) as Generator).renderXenAbi(hypercalls, Errno, TABLES);
}

describe("docs/xen-abi.md", () => {
  it("is what scripts/xen-abi.mjs writes now", async () => {
    const page = readFileSync(join(PROJECT, "docs", "xen-abi.md"), "utf8");
    const wanted = await render([...HYPERCALLS, multicall((call) => call.number)]);
    assert.equal(page, wanted, "run: npm run build && node scripts/xen-abi.mjs");
  });

  it("would not be, were a sub-operation left out", async () => {
    const shortened = HYPERCALLS.map((row) =>
      row.operations === undefined ? row : { ...row, operations: row.operations.slice(1) },
    );
    assert.notEqual(await render(shortened), await render(HYPERCALLS));
  });

  it("says what is done, what is answered, and where the rows are", async () => {
    const page = await render(HYPERCALLS);
    assert.match(page, /^\| 11 \| `XENMEM_exchange` \| {2}\| {2}\| refused \| always -EOPNOTSUPP \| 1 \|$/m);
    assert.match(page, /^\| 4 \| `EVTCHNOP_send` \| `evtchn_send`, 4 bytes \| in \| raises .* \| 0, -EINVAL, -EFAULT \| \d+ \|$/m);
    assert.match(page, /^Rows: \[sched-op\.ts\]\(\.\.\/spec\/xen\/hypercalls\/tables\/sched-op\.ts\)\.$/m);
  });
});
