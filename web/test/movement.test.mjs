// Prediction is bit-exact: the page's wasm module flies ten thousand random flights to the very numbers of the native build.
//
// The committed number is what `cargo test -p tickwire-client --features wasm` asserts of the native build.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { initSync, movement_hash } from "../src/wasm/tickwire.js";

const file = (path) => new URL(path, import.meta.url);

test("ten thousand random flights give the same number in wasm as natively", () => {
  initSync({ module: readFileSync(file("../dist/tickwire_bg.wasm")) });
  const expected = readFileSync(file("../../client/tests/movement_hash.txt"), "utf8").trim();
  assert.equal(movement_hash(0, 10_000, 120).toString(), expected);
});
