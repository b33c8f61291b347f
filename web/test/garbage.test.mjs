// What the SDK leaves for the garbage collector: 200 moving entities in view at 60 Hz, by Chromium's sampling heap profiler.
//
//   TICKWIRE_GARBAGE_SECONDS=60 node --test test/garbage.test.mjs     a whole minute; prints the functions

import assert from "node:assert/strict";
import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { launchBrowser, openPage, startBots, startPush, startSite, test } from "./harness.mjs";

const SECONDS = Number(process.env.TICKWIRE_GARBAGE_SECONDS ?? 10);
const BOTS = Number(process.env.TICKWIRE_GARBAGE_BOTS ?? 200);
const BUDGET_BYTES_PER_MINUTE = 100_000;

const SCRIPT = `
  import { join } from "./readable.js";

  window.play = async (url) => {
    const room = (window.room = await join({ url, room: "meadow", resume: false }));
    room.input = { dx: 1 };
    window.frames = window.rows = 0;
    const draw = () => {
      const { body } = room.frame();
      let sum = 0;
      for (let at = 0; at < body.length; at++) {
        const one = body[at];
        sum += one.x + one.y + one.vx + one.vy;
      }
      window.sum = sum | 0;
      window.frames++;
      window.rows += body.length;
      requestAnimationFrame(draw);
    };
    draw();
  };
  window.isReady = true;
`;

/** The SDK with readable names. */
async function readable() {
  const { outputFiles } = await build({ entryPoints: [new URL("../src/sdk/index.ts", import.meta.url).pathname], bundle: true, format: "esm", target: "es2022", write: false, logLevel: "error" });
  return outputFiles[0].text;
}

/** Bytes by function of one file, from a sampling profile. Those that native functions allocated belong to their callers here. */
function bytesByFunction({ head }, file) {
  const found = new Map();
  const visit = ({ callFrame, selfSize, children }, inherited) => {
    const name = callFrame.url.includes(file) ? callFrame.functionName || "(anonymous)" : callFrame.url === "" ? inherited : undefined;
    if (name !== undefined && selfSize > 0) {
      const key = callFrame.url === "" ? name + " > " + callFrame.functionName : name;
      found.set(key, (found.get(key) ?? 0) + selfSize);
    }
    for (const child of children) visit(child, name);
  };
  visit(head, undefined);
  return [...found].sort(([, a], [, b]) => b - a);
}

test("a frame leaves no garbage in the steady state", { timeout: 90_000 + 2_000 * SECONDS }, async (t) => {
  const site = await startSite(t, SCRIPT);
  const server = await startPush(t, { args: ["--allowed-origin", site] });
  const context = await launchBrowser(t);
  const script = await readable();
  await context.route("**/readable.js", (route) => route.fulfill({ body: script, contentType: "text/javascript" }));
  await context.route("**/tickwire_bg.wasm", (route) => route.fulfill({ body: readFileSync(new URL("../dist/tickwire_bg.wasm", import.meta.url)), contentType: "application/wasm" }));
  startBots(t, server, { bots: BOTS, room: "meadow", args: ["--behaviour", "random"] });
  const { page } = await openPage(context, site);
  await page.waitForFunction(() => window.isReady);
  await page.evaluate((url) => window.play(url), server.socket);
  await page.waitForFunction((bots) => window.room.frame().body.length > 0.9 * bots, BOTS, { timeout: 60_000 });
  const devtools = await context.newCDPSession(page);
  await devtools.send("HeapProfiler.enable");
  // The code is optimised first.
  await page.evaluate(() => new Promise((done) => setTimeout(done, 5_000)));
  await devtools.send("HeapProfiler.startSampling", { samplingInterval: 256, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true });
  const before = await page.evaluate(() => ({ frames: window.frames, rows: window.rows, at: performance.now(), tick: window.room.stats.tick }));
  await page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), SECONDS * 1000);
  const { profile } = await devtools.send("HeapProfiler.stopSampling");
  const after = await page.evaluate(() => ({ frames: window.frames, rows: window.rows, at: performance.now(), tick: window.room.stats.tick }));
  const seconds = (after.at - before.at) / 1000;
  const frames = after.frames - before.frames;
  const perMinute = (bytes) => (bytes * 60) / seconds;
  const all = bytesByFunction(profile, "readable.js");
  t.diagnostic(`${frames} frames in ${seconds.toFixed(1)} s, ${((after.rows - before.rows) / frames).toFixed(0)} rows each, ${after.tick - before.tick} ticks`);
  for (const [name, bytes] of all.slice(0, 14)) t.diagnostic(`${(perMinute(bytes) / 1000).toFixed(1).padStart(8)} kB/min  ${name}`);
  // A view of the buffer in which the browser hands over a message: one a tick.
  const unavoidable = all.filter(([name]) => /onmessage/.test(name)).reduce((sum, [, bytes]) => sum + bytes, 0);
  const total = all.reduce((sum, [, bytes]) => sum + bytes, 0);
  const own = perMinute(total - unavoidable);
  t.diagnostic(`${(own / 1000).toFixed(0)} kB/min, and ${(perMinute(unavoidable) / 1000).toFixed(0)} kB/min of messages`);
  assert.ok(own < BUDGET_BYTES_PER_MINUTE, `${own} bytes a minute`);
});
