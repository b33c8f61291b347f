// The SDK in Node: no document, no window, and an event name that happens to be a word of the SDK's.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { startTag, test } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };
const SDK = new URL("../dist/index.js", import.meta.url).href;

/** The output of a module that Node runs. Node 20 has a WebSocket only if it is told so. */
async function output(script) {
  const flags = globalThis.WebSocket ? [] : ["--experimental-websocket"];
  const child = spawn(process.execPath, [...flags, "--input-type=module", "--eval", script], { stdio: ["ignore", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) child[stream].setEncoding("utf8").on("data", (part) => (text[stream] += part));
  const [code] = await once(child, "exit");
  assert.equal(code, 0, text.stderr);
  return text.stdout;
}

test("Node plays, predicts and leaves", MINUTE, async (t) => {
  const server = await startTag(t);
  const found = await output(`
    import { join } from ${JSON.stringify(SDK)};
    const room = await join({ url: ${JSON.stringify(server.socket)}, room: "meadow", name: "Ada", WebSocket });
    const frame = () => new Promise((done) => setTimeout(() => done(room.frame()), 16));
    while (!room.isPredicting || !room.me) await frame();
    const start = room.me.x;
    room.input = { dx: 1 };
    while (room.me.x < start + 60) await frame();
    const { breath, it, isOwn } = room.me;
    room.leave();
    console.log(JSON.stringify({ breath, it, isOwn, phase: room.phase }));
  `);
  assert.deepEqual(JSON.parse(found), { breath: 0, it: true, isOwn: true, phase: "closed" });
});

test("Node says what is missing", MINUTE, async () => {
  const said = await output(`
    import { join } from ${JSON.stringify(SDK)};
    await join().catch((error) => console.log(error.message));
    globalThis.WebSocket = undefined;
    await join({ url: "ws://127.0.0.1:9/ws" }).catch((error) => console.log(error.message));
  `);
  assert.match(said, /no page here: give the url/);
  assert.match(said, /no WebSocket here: give join that of the package ws/);
});
