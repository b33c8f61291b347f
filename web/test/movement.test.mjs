// Prediction is bit-exact: ten thousand random flights in the page's wasm module give the hash of the native build.
//
// `cargo test -p tickwire-client --features wasm` compares the native build with the same committed number.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const file = (path) => new URL(path, import.meta.url);

test("wasm and native flights give the same hash", async () => {
  // The core imports a TypeScript file, which node does not read: it is bundled as for the page.
  const entryPoints = [fileURLToPath(file("../src/wasm/tickwire.js"))];
  const { outputFiles } = buildSync({ entryPoints, bundle: true, format: "esm", write: false, logLevel: "error" });
  const script = Buffer.from(outputFiles[0].contents).toString("base64");
  const { initSync, movement_hash } = await import(`data:text/javascript;base64,${script}`);
  initSync({ module: readFileSync(file("../dist/tickwire_bg.wasm")) });
  const expected = readFileSync(file("../../client/tests/movement_hash.txt"), "utf8").trim();
  assert.equal(movement_hash(0, 10_000, 120).toString(), expected);
});
