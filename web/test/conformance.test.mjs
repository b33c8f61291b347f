// The second reader of the protocol plays the conformance game of a real server: every view hash agrees, and what is wrong ends it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { start, startServer, test } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };
const PLAY = new URL("./protocol/conformance.mjs", import.meta.url).href;
const FLAGS = ["--game", "conformance", "--hash-every-snapshot"];

/** Plays in a room of its own, in a process of its own: Node 20 has a WebSocket only if it is told so. `options` are source text. */
async function play(t, server, room, options = "{}") {
  const flags = globalThis.WebSocket ? [] : ["--experimental-websocket"];
  const script = `
    import { play } from ${JSON.stringify(PLAY)};
    const answer = await play(${JSON.stringify(`${server.socket}?room=${room}`)}, ${options}).catch(({ message }) => ({ message }));
    console.log(JSON.stringify(answer));
    process.exit();
  `;
  const { child, output } = start(t, room, process.execPath, [...flags, "--input-type=module", "--eval", script]);
  await once(child.stdout, "close", { signal: t.signal });
  const line = output.join("").split("\n").find((line) => line.startsWith("{"));
  assert.ok(line, output.join(""));
  return JSON.parse(line);
}

/** Everything that a run shows to any client. */
const ALWAYS = [
  "added_cells",
  "dropped_cells",
  "owned",
  "full_snapshot",
  "a slot reused",
  "a text that changed",
  "an input that came back",
  "chat",
  "event raw",
  "event hit",
  "event nightfall",
  "event beam",
  "game message told",
  "game message echo",
  "message map_part",
];

function assertSeen({ message, seen, mismatches }, more) {
  assert.equal(message, undefined);
  assert.equal(mismatches, 0);
  assert.deepEqual([...ALWAYS, ...more].filter((what) => !seen[what]), [], JSON.stringify(seen));
}

test("a stranger's client of packed blocks and parts agrees in every snapshot", MINUTE, async (t) => {
  const server = await startServer(t, { args: FLAGS });
  const summary = await play(t, server, "packed");
  assertSeen(summary, ["packed", "cell_parts", "deferred_bits"]);
  const corners = ["structure 1", "keyframe 1", "gaps 1", "left: to a cell", "event ago", "more than eight cells"];
  assert.deepEqual(corners.filter((corner) => !summary.reached.includes(corner)), []);
});

test("a stranger's client of plain blocks and whole cells agrees in every snapshot", MINUTE, async (t) => {
  const server = await startServer(t, { args: FLAGS });
  const summary = await play(t, server, "plain", "{ isPlain: true, takesParts: false }");
  assertSeen(summary, ["blocks"]);
  assert.equal(summary.seen["cell_parts"], undefined);
});

test("a client ends with the first snapshot that is wrong, and says which", MINUTE, async (t) => {
  const server = await startServer(t, { args: FLAGS });
  const wrong = "{ alter: (snapshot) => { if (snapshot.tick === 0) snapshot.view_hash ^= 1n; } }";
  const { message } = await play(t, server, "wrong", wrong);
  assert.match(message, /snapshot resync, as the view hash is \d+, that of the rows \d+: at tick \d+, \d+ ticks after the script began/);
});

test("a client ends where the server does not play the script, or sends no hashes", MINUTE, async (t) => {
  const [other, silent] = await Promise.all([startServer(t), startServer(t, { args: ["--game", "conformance"] })]);
  assert.match((await play(t, other, "other")).message, /start it with --game conformance/);
  assert.match((await play(t, silent, "silent")).message, /start the server with --hash-every-snapshot/);
  const late = await play(t, silent, "late", "{ seconds: 0 }");
  assert.match(late.message, /the script did not end within 0 s/);
});
