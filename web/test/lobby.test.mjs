// Rooms and matches of the SDK: in Node, and from a page of another origin.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "../dist/index.js";
import { match, rooms } from "../dist/lobby.js";
import { launchBrowser, openPage, startSite, startTag, test, testInBoth } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };
const LISTED = { args: ["--room-list", "on"] };

/** The lines of JSON that a script of web/test/lobby prints. Node 20 has a WebSocket only if it is told so. */
async function printedBy(script, ...args) {
  const flags = globalThis.WebSocket ? [] : ["--experimental-websocket"];
  const path = new URL(`lobby/${script}`, import.meta.url).pathname;
  const child = spawn(process.execPath, [...flags, path, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) child[stream].setEncoding("utf8").on("data", (part) => (text[stream] += part));
  const [code] = await once(child, "exit");
  assert.equal(code, 0, text.stderr);
  return text.stdout.trim().split("\n").map((line) => JSON.parse(line));
}

test("players meet in Node: by tags, by the list, by invitation", MINUTE, async (t) => {
  const server = await startTag(t, LISTED);
  assert.deepEqual(await printedBy("meet.mjs", server.socket), [
    { isSame: true, players: ["Ann", "Bob"] },
    { isThis: true, players: 2, max: 2, tags: { mode: "duel" }, metadata: {} },
    { isSame: true, isPrivate: true },
  ]);
});

test("a wrong wish is an error at once", MINUTE, async () => {
  const url = "ws://127.0.0.1:9/ws";
  const said = async (asked) => assert.rejects(asked, (error) => !/reached/.test(error.message) && (error.name === "TypeError" || error.name === "RangeError"));
  await said(match({ url, mode: "watch" }));
  await said(match({ url, max: 1.5 }));
  await said(match({ url, max: "2" }));
  await said(match({ url, tags: { mode: ["duel"] } }));
  await said(match({ url: "ftp://127.0.0.1/" }));
  await said(rooms({ url, tags: "duel" }));
  await said(join({ url, room: "a", match: {}, WebSocket: class {} }));
  await said(match());
});

test("a refusal has the server's sentence and status", MINUTE, async (t) => {
  const { socket: url } = await startTag(t);
  const status = (code, sentence) => (error) => error.status === code && sentence.test(error.message);
  await assert.rejects(rooms({ url }), status(404, /./));
  await assert.rejects(match({ url, mode: "join", tags: { mode: "duel" } }), status(404, /no such room/));
  await assert.rejects(match({ url, max: 1_000_000 }), status(400, /a room takes 1 to/));
  await assert.rejects(match({ url, private: true }), status(400, /mode create/));
  await assert.rejects(match({ url, colour: "red" }), status(400, /colour/));
  const { room } = await match({ url, mode: "create", max: 1 });
  await assert.rejects(match({ url, mode: "join", room }), status(409, /full/));
  await assert.rejects(match({ url: "ws://127.0.0.1:9/ws" }), /127\.0\.0\.1:9 cannot be reached/);
});

testInBoth("a page of an allowed origin finds a match", { ...MINUTE, differs: true }, async (t) => {
  const context = await launchBrowser(t);
  const site = await startSite(
    t,
    `
    import { match, rooms } from "/lobby.js";
    const url = decodeURIComponent(location.hash.slice(1));
    const answer = async (asked) => asked.then((value) => typeof value, (error) => error.message);
    window.found = Promise.all([answer(match({ url })), answer(rooms({ url }))]);
    `,
  );
  for (const [args, expected] of [
    [["--room-list", "on", "--allowed-origin", site], /^object,object$/],
    [["--room-list", "on"], /cannot be reached.*cannot be reached/],
  ]) {
    const server = await startTag(t, { args });
    const { page } = await openPage(context, `${site}/#${encodeURIComponent(server.socket)}`);
    await page.waitForFunction(() => window.found);
    assert.match(String(await page.evaluate(() => window.found)), expected);
    await page.close();
  }
});
