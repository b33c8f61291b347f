// Tickwire's SDK beside that of Colyseus: 200 moving entities in view at 60 Hz, in Chromium.
//
//   node web/bench/run.mjs [--rounds 2] [--warmup 20] [--seconds 60]
//
// In: a release build of the server `crowd`, and what the registry has of package-lock.json. Out: one table in Markdown on standard output,
// and each sample on standard error. README.md says what the rows mean.

import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MEASURES, sample } from "./sample.mjs";
import { NODE, VARIANTS, bundleColyseus } from "./variants.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));
const { values } = parseArgs({ options: { rounds: { type: "string", default: "2" }, warmup: { type: "string", default: "20" }, seconds: { type: "string", default: "60" } } });
const [rounds, warmup, seconds] = [values.rounds, values.warmup, values.seconds].map(Number);

install();
const sdk = await bundleColyseus();
const samples = new Map(VARIANTS.map((variant) => [variant, []]));
let browserVersion;
for (let round = 0; round < rounds; round++) {
  // By turns: a b c d, d c b a.
  for (const variant of round % 2 === 0 ? VARIANTS : [...VARIANTS].reverse()) {
    const { figures, browser } = await sample(variant, { sdk, warmup, seconds });
    browserVersion = browser;
    samples.get(variant).push(figures);
    console.error(`${variant.title}: ${MEASURES.map(({ key, digits }) => `${key} ${figures[key]?.toFixed(digits) ?? "-"}`).join(", ")}`);
  }
}
print();

/** Installs the pinned packages, unless they are there. */
function install() {
  const [wanted, there] = ["package-lock.json", "node_modules/.tickwire-lock"].map((file) => resolve(folder, file));
  try {
    if (readFileSync(wanted).equals(readFileSync(there))) return;
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-progress", "--loglevel=error"], { cwd: folder, stdio: ["ignore", 2, 2] });
  copyFileSync(wanted, there);
}

function print() {
  const rows = [
    ["", ...VARIANTS.map(({ title }) => title)],
    ["---", ...VARIANTS.map(() => "---")],
    ...MEASURES.map(({ key, title, digits }) => [title, ...VARIANTS.map((variant) => cell(samples.get(variant).map((figures) => figures[key]), digits))]),
  ];
  console.log(rows.map((row) => `| ${row.join(" | ")} |`).join("\n"));
  const version = (name) => JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8")).version;
  const own = JSON.parse(readFileSync(join(folder, "../package.json"), "utf8")).version;
  const packages = ["@colyseus/core", "@colyseus/ws-transport", "@colyseus/schema", "@colyseus/sdk"].map((name) => `${name} ${version(name)}`).join(", ");
  console.log(`
${new Date().toISOString().slice(0, 10)}; ${cpus().length} cores; ${rounds} rounds of ${warmup} s to warm up, ${seconds} s for rates and time, ${seconds} s for garbage. Median (range).
Tickwire ${own}; ${packages}, on Node ${execFileSync(NODE, ["--version"], { encoding: "utf8" }).trim().slice(1)}; Chromium ${browserVersion}.`);
}

function cell(found, digits) {
  if (found.some((one) => one === undefined)) return "";
  const sorted = [...found].sort((a, b) => a - b);
  const middle = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  const [low, median, high] = [sorted[0], middle, sorted.at(-1)].map((one) => one.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  return low === high ? median : `${median} (${low} to ${high})`;
}
