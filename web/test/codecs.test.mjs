// The SDK's codecs agree with docs/protocol-vectors.json, and refuse what a game would read differently from what a page means.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = mkdtempSync(join(tmpdir(), "tickwire-codecs-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A module of the SDK that its package does not export. */
async function sdkModule(file) {
  const { outputFiles } = await build({ entryPoints: [new URL(`../src/sdk/${file}`, import.meta.url).pathname], bundle: true, format: "esm", target: "es2022", write: false, logLevel: "error" });
  const bundle = join(folder, file.replace(".ts", ".mjs"));
  writeFileSync(bundle, outputFiles[0].contents);
  return import(pathToFileURL(bundle));
}

const [{ InputCodec }, { PayloadCodecs }, { entityId, leavesOf }, { differenceOf, shapeOf }] = await Promise.all(["inputs.ts", "payloads.ts", "values.ts", "protocol.ts"].map(sdkModule));
const vectors = JSON.parse(readFileSync(new URL("../../docs/protocol-vectors.json", import.meta.url), "utf8"));
const { schema } = vectors;
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const kind = (name) => schema.kinds.findIndex((one) => one.name === name);

const inputs = new InputCodec(schema);
const lists = { event: "events", command: "commands", message: "messages" };
const payloads = (of) => new PayloadCodecs(schema[lists[of]], schema.kinds, of);

test("inputs have the bits of the vectors", () => {
  for (const { values, payload, is_written } of vectors.input_payloads) {
    if (is_written) assert.equal(hex(inputs.payload(values)), payload);
  }
});

test("an input has values in units, names and flags", () => {
  const words = inputs.words({ dx: -1, dash: true, heading: Math.PI / 2, weapon: "axe", keys: { green: true }, aim: { x: 1.5, y: -0.25 }, target: 7 });
  assert.deepEqual(words, [-1, 1, 250, 1, 2, 0, 24, -4, 0, 7]);
  assert.deepEqual(inputs.words({ dx: 1, keys: { red: true } }, words), [1, 1, 250, 1, 3, 0, 24, -4, 0, 7]);
  assert.deepEqual(inputs.words({ heading: -Math.PI / 2 })[2], 750);
});

for (const [given, error, sentence] of [
  [{ dy: 1 }, TypeError, /no "dy"; it has dx, dash, heading, weapon, keys, depth, aim, largest, target/],
  [{ dx: 2 }, RangeError, /dx is 2; possible are -1 to 1/],
  [{ dx: NaN }, RangeError, /dx is NaN/],
  [{ dx: "1" }, TypeError, /dx is "1"; it must be a number/],
  [{ dash: 1 }, TypeError, /dash is 1; it must be true or false/],
  [{ weapon: "gun" }, RangeError, /weapon is "gun"; possible are "bow" \| "axe" \| "net"/],
  [{ keys: { grey: true } }, TypeError, /keys has no "grey"; it has red, green, blue/],
  [{ aim: 1 }, TypeError, /aim is 1; it must be an object/],
  [{ heading: Infinity }, TypeError, /an angle in radians/],
  ["left", TypeError, /the input is "left"; it must be an object/],
]) {
  test(`a wrong input is refused: ${JSON.stringify(given)}`, () => {
    assert.throws(() => inputs.words(given), (thrown) => thrown instanceof error && sentence.test(thrown.message));
  });
}

test("payloads are read and written as in the vectors", () => {
  for (const { of, kind: number, payload, values } of vectors.payloads) {
    const codec = payloads(of).at(number);
    const read = codec.read(bytes(payload).subarray(of === "event" ? 0 : 1));
    if (!values) {
      assert.equal(read, undefined, payload);
      continue;
    }
    // No entity has such a slot.
    if (values.includes(-1)) continue;
    if (of !== "event") assert.equal(hex(payloads(of).writePrefixed(codec.name, read)), payload);
    else assert.equal(hex(codec.write(read, [])), payload);
  }
});

test("an event has the fields of the game", () => {
  const { payload } = vectors.payloads.find(({ values }) => values?.[0] === 7);
  const hit = payloads("event").named("hit").read(bytes(payload));
  assert.deepEqual(hit, { who: 7, damage: -300, by: entityId(kind("ghost"), 1, 2), cry: "Zoë 🚀", sound: Uint8Array.of(0, 255) });
});

test("an event that the schema does not describe is bytes", () => {
  assert.deepEqual(payloads("event").named("bump").read(Uint8Array.of(1, 2)), { payload: Uint8Array.of(1, 2) });
});

test("fixed words are read and written", () => {
  const fields = [{ name: "a", encoding: 3 }, { name: "b", encoding: 3 }, { name: "c", encoding: 0 }];
  const codecs = new PayloadCodecs([{ name: "beam", fields, described: true }], [], "event");
  const beam = { a: -2, b: 2 ** 31 - 1, c: 3 };
  const payload = codecs.named("beam").write(beam, []);
  assert.equal(hex(payload), "feffffffffffff7f06");
  assert.deepEqual(codecs.named("beam").read(payload), beam);
  assert.equal(codecs.named("beam").read(payload.subarray(0, 7)), undefined);
});

test("unsigned numbers have no sign, in rows and in payloads", () => {
  const unsigned = { name: "points", value: { meaning: 10, steps: 0, names: [] } };
  const [leaf] = leavesOf([unsigned], []);
  for (const words of [Int32Array.of(-1), Float64Array.of(-1)]) assert.equal(leaf.read(words), 2 ** 32 - 1);
  assert.equal(leaf.read(Int32Array.of(7)), 7);
  const codec = new PayloadCodecs([{ name: "won", fields: [{ ...unsigned, encoding: 0 }, { ...unsigned, name: "fixed", encoding: 3 }], described: true }], [], "event").named("won");
  for (const points of [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
    assert.deepEqual(codec.read(codec.write({ points, fixed: points }, [])), { points, fixed: points });
  }
  assert.throws(() => codec.write({ points: -1, fixed: 0 }, []), /points is -1; possible are 0 to 4294967295/);
});

for (const [name, fields, sentence] of [
  ["steal", {}, /no command "steal"; it has sell, buy/],
  ["buy", { item: "hat" }, /buy needs count: number/],
  ["buy", { item: "hat", count: 1, colour: 2 }, /buy has no "colour"; it has item, count/],
  ["buy", { item: "ring", count: 1 }, /item is "ring"; possible are/],
]) {
  test(`a wrong command is refused: ${name} ${JSON.stringify(fields)}`, () => {
    assert.throws(() => payloads("command").writePrefixed(name, fields), sentence);
  });
}

test("a protocol that the room's game does not have is named", () => {
  const protocol = { game: "vectors", shape: shapeOf(schema) };
  assert.equal(differenceOf(protocol, "vectors", schema), undefined);
  assert.match(differenceOf(protocol, "tag", schema), /this page is for the game vectors, and the room plays tag/);
  const { ghost } = protocol.shape.kinds;
  const changed = (kinds) => ({ ...protocol, shape: { ...protocol.shape, kinds } });
  assert.match(differenceOf(changed({ ghost: { ...ghost, mana: "number" } }), "vectors", schema), /knows ghost\.mana, which/);
  assert.match(differenceOf(changed({ ghost: { ...ghost, seen: "number" } }), "vectors", schema), /takes ghost\.seen for number, and .* it is boolean/);
  assert.match(differenceOf(changed({ wolf: {} }), "vectors", schema), /knows wolf, which/);
  // The room may have more.
  assert.equal(differenceOf(changed({}), "vectors", schema), undefined);
});
