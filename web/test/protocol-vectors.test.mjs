// docs/protocol-vectors.json and docs/PROTOCOL.md agree: a reader written from the page alone understands every vector.
//
// `cargo test -p tickwire-sync --test protocol_vectors` compares the file with what the server's code writes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Client } from "./protocol/client.mjs";
import { InputClock } from "./protocol/input-clock.mjs";
import { add, cellAt, cellHash, difference, rowHash } from "./protocol/integers.mjs";
import { readFields, readInput, writeFields, writeInput } from "./protocol/payloads.mjs";
import { decode, encode } from "./protocol/protobuf.mjs";

const vectors = JSON.parse(readFileSync(new URL("../../docs/protocol-vectors.json", import.meta.url), "utf8"));

const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const hex64 = (value) => value.toString(16).padStart(16, "0");

/** A decoded message as the file writes it: without defaults, bytes in hexadecimal, 64-bit integers as decimal strings. */
function withoutDefaults(message, kept = []) {
  const plain = {};
  for (const [name, value] of Object.entries(message)) {
    if (value === undefined) continue;
    if (value instanceof Uint8Array) {
      if (value.length > 0 || kept.includes(name)) plain[name] = hex(value);
    } else if (typeof value === "bigint") {
      if (value !== 0n) plain[name] = value.toString();
    } else if (typeof value === "object") {
      plain[name] = withoutDefaults(value);
    } else if (value) {
      plain[name] = value;
    }
  }
  return plain;
}

/** A schema with all fields, as the file writes it: a `value` that did not come is left out. */
const inFull = (schema) => JSON.parse(JSON.stringify(schema));

const welcomes = vectors.server_messages.filter(({ body }) => body === "welcome").map((vector) => decode("ServerMessage", bytes(vector.hex)).welcome);

test("the schema in JSON is the schema in protobuf", () => {
  assert.deepEqual(inFull(decode("Schema", bytes(vectors.schema_protobuf))), vectors.schema);
  for (const { schema } of welcomes) assert.deepEqual(inFull(schema), vectors.schema);
});

test("lanes, positions and hashes are computed as the page says", () => {
  for (const vector of vectors.lane_arithmetic) {
    assert.equal(difference(vector, vector.from, vector.to), vector.difference, JSON.stringify(vector));
    assert.equal(add(vector, vector.from, vector.difference), vector.to, JSON.stringify(vector));
  }
  for (const vector of vectors.interpolation) {
    const step = Math.floor((difference(vector, vector.from, vector.to) * vector.part) / vector.whole);
    assert.equal(add(vector, vector.from, step), vector.value, JSON.stringify(vector));
  }
  for (const { x, y, layer, cell } of vectors.positions) assert.equal(cellAt(vectors.schema.grid, x, y, layer), cell, `${x}, ${y}, ${layer}`);
  for (const row of vectors.row_hashes) assert.equal(hex64(rowHash(row)), row.hash, JSON.stringify(row));
  for (const { cell, sum_of_row_hashes, hash } of vectors.cell_hashes) assert.equal(hex64(cellHash(cell, BigInt(`0x${sum_of_row_hashes}`))), hash);
});

test("a row that was teleported is at its old place until the new one's tick", () => {
  for (const { kind, from, to, part, whole, lanes } of vectors.row_interpolation) {
    const { teleport_lane_plus_one, lanes: described } = vectors.schema.kinds[kind];
    const isTeleported = teleport_lane_plus_one > 0 && from[teleport_lane_plus_one - 1] !== to[teleport_lane_plus_one - 1];
    const moved = described.map((lane, index) => {
      if (part === whole) return to[index];
      if (!lane.continuous || isTeleported) return from[index];
      return add(lane, from[index], Math.floor((difference(lane, from[index], to[index]) * part) / whole));
    });
    assert.deepEqual(moved, lanes);
  }
});

test("an input's bits are its fields", () => {
  for (const { values, payload, is_written } of vectors.input_payloads) {
    assert.deepEqual(readInput(vectors.schema.input, bytes(payload)), values, payload);
    if (is_written) assert.equal(hex(writeInput(vectors.schema.input, values)), payload);
  }
});

test("the payloads of events, commands and messages are their fields", () => {
  const lists = { event: "events", command: "commands", message: "messages" };
  for (const { of, kind, payload, values } of vectors.payloads) {
    const { fields } = vectors.schema[lists[of]][kind];
    const prefix = of === "event" ? undefined : kind;
    const read = () => readFields(fields, bytes(payload).subarray(prefix === undefined ? 0 : 1));
    if (!values) {
      assert.throws(read, `${of} ${payload}`);
      continue;
    }
    assert.deepEqual(read().map((value) => (value instanceof Uint8Array ? hex(value) : value)), values, payload);
    assert.equal(hex(writeFields(fields, read(), prefix)), payload);
  }
});

test("every single message has the fields that the file says", () => {
  const all = [
    ["ClientMessage", vectors.client_messages],
    ["ServerMessage", vectors.server_messages],
  ];
  for (const [type, messages] of all) {
    for (const vector of messages) {
      const message = decode(type, bytes(vector.hex));
      const bodies = Object.entries(message).filter(([, value]) => value !== undefined);
      assert.deepEqual(bodies.map(([name]) => name), vector.body ? [vector.body] : [], vector.name);
      if (!vector.body) continue;
      const { schema, codebooks, ...fields } = bodies[0][1];
      assert.deepEqual(withoutDefaults(fields, ["game"]), vector.fields, vector.name);
    }
  }
});

test("every message of a client is written as it was read", () => {
  for (const vector of vectors.client_messages) {
    const message = decode("ClientMessage", bytes(vector.hex));
    assert.deepEqual(decode("ClientMessage", encode("ClientMessage", message)), message, vector.name);
  }
});

test("the input clock is where the page's is, whatever margins come", () => {
  for (const { about, tick_rate, arrival_ticks, steps } of vectors.input_clock) {
    const clock = new InputClock(tick_rate, 0, arrival_ticks);
    for (const [now, due, millionths, tick, sixteenths] of steps) {
      if (tick !== undefined) clock.report(tick, sixteenths / 16);
      assert.equal(clock.advance(now), due, about);
      assert.ok(Math.abs(clock.ticks * 1e6 - millionths) < 2, `${about}: ${clock.ticks} at ${now}`);
    }
  }
});

/** The rows to show where all cells stand at the newest tick: all of them. */
function everyRow({ tick, cells }) {
  const rows = cells.flatMap(({ rows }) => rows.map(({ kind, slot, generation, lanes }) => ({ kind, slot, generation, tick, lanes })));
  return rows.sort((a, b) => a.kind - b.kind || a.slot - b.slot);
}

/** Plays a case in one encoding, and compares the client with the file after each step. */
function play({ name, steps }, encoding, reached) {
  const client = new Client(welcomes[encoding === "plain" ? 0 : 1], reached);
  for (const [index, step] of steps.entries()) {
    const where = `${encoding}, case ${name}, step ${index}: ${step.note}`;
    let outcome;
    for (const message of step[encoding].map((text) => decode("ServerMessage", bytes(text)))) {
      if (message.codebooks) client.updateCodebooks(message.codebooks);
      if (message.snapshot) outcome = client.apply(message.snapshot);
    }
    assert.equal(outcome, step.outcome, where);
    if (!step.after) continue;
    const { after } = step;
    const cells = [...client.cells].sort(([a], [b]) => a - b).map(([cell, { tick, rows }]) => ({ cell, tick, rows: [...rows.values()] }));
    assert.deepEqual(cells, after.cells, where);
    assert.equal(hex64(client.viewHash()), after.view_hash, where);
    const visible = client.visibleRows().map(({ row: { kind, slot, generation, lanes }, tick }) => ({ kind, slot, generation, tick, lanes }));
    assert.deepEqual(visible, after.visible ?? everyRow(after), where);
    assert.deepEqual(client.events.map((event) => ({ ...event, payload: hex(event.payload) })), after.events, where);
    assert.deepEqual(client.owned, after.owned, where);
    const header = { tick: client.tick, applied_seq: client.appliedSeq, starved_inputs: client.starvedInputs };
    assert.deepEqual(header, { tick: after.tick, applied_seq: after.applied_seq, starved_inputs: after.starved_inputs }, where);
    assert.equal(client.inputMargin, after.input_margin, where);
  }
}

test("every case gives the rows and hashes of the file, plain", () => {
  for (const one of vectors.cases) play(one, "plain");
});

test("every case gives the same rows and hashes, packed, and all bits occur", () => {
  const reached = new Set();
  for (const one of vectors.cases) play(one, "packed", reached);
  const wanted = [
    "left: gone",
    "left: to a cell",
    "left: several rows",
    "entered: not in a keyframe",
    "event now",
    "event ago",
    "text 0 of row 0",
    "text 0 of row 1",
    "text 1 of row 1",
    "more than eight cells",
    "columns of several kinds",
    "columns of a kind without lanes",
    "a lane that is not sent moves on",
    "a slot that was reused is not predicted",
  ];
  for (const flag of ["structure", "keyframe", "all", "any", "gaps", "usual"]) wanted.push(`${flag} 0`, `${flag} 1`);
  for (let groups = 1; groups <= 8; groups++) wanted.push(`a number of ${groups} groups`);
  for (let symbol = 0; symbol < 44; symbol++) {
    for (const prediction of ["predicted", "not predicted"]) {
      for (const codes of ["initial", "tuned"]) wanted.push(`symbol ${symbol} ${prediction} ${codes}`);
    }
  }
  assert.deepEqual(wanted.filter((corner) => !reached.has(corner)), []);
});
