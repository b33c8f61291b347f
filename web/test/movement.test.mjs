// Prediction is bit-exact: ten thousand random flights in the page's wasm module give the hash of the native build.
//
// `cargo test -p tickwire-client --features wasm` compares the native build with the same committed number.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { initSync, movement_hash } from "../src/wasm/tickwire.js";

const file = (path) => new URL(path, import.meta.url);

test("wasm and native flights give the same hash", () => {
  initSync({ module: readFileSync(file("../dist/tickwire_bg.wasm")) });
  const expected = readFileSync(file("../../client/tests/movement_hash.txt"), "utf8").trim();
  assert.equal(movement_hash(0, 10_000, 120).toString(), expected);
});
