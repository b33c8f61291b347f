// The size budgets of the SDK, compressed as servers send it: a page pays them before it can join.
//
//   node budgets.mjs DIST      exits with 1 and a line for each file of DIST that is over its budget

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGETS_BYTES = { "tickwire_bg.wasm": 70_000, "index.js": 12_000 };

const [dist] = process.argv.slice(2);
if (!dist) {
  console.error("usage: node budgets.mjs DIST");
  process.exit(2);
}
for (const [name, budget] of Object.entries(BUDGETS_BYTES)) {
  const size = gzipSync(readFileSync(join(dist, name)), { level: 9 }).length;
  console.log(`${name}: ${size} of ${budget} bytes compressed`);
  if (size > budget) {
    console.error(`${name} is ${size - budget} bytes over its budget: see docs/decisions/2026-11-30-small-core.md for what makes it small`);
    process.exitCode = 1;
  }
}
