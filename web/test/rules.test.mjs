// Rules modules in the browser: the room's own is loaded and predicts, a bad one is refused, and play goes on in every case.
//
// A server never serves a bad module. So a proxy inside the browser's harness changes the hash in `Welcome`, and answers the request
// for the module with the bad one.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { launchBrowser, openPage, rulesModules, startSite, startWalkers, test } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };

/** A page with one player, who walks right while `isWalking`. */
const SCRIPT = `
  import { join } from "./index.js";

  window.play = async (url) => {
    const room = await join({ url, room: "meadow", resume: false });
    const player = (window.player = { room, notes: [], frames: [], joinedAt: performance.now(), notedAt: 0 });
    const note = () => {
      player.notedAt = performance.now();
      player.notes.push(room.isPredicting ? "predicting" : room.predictionNote);
    };
    // The module may have been judged before the first snapshot came.
    if (room.isPredicting || !/loading/.test(room.predictionNote)) note();
    room.onPrediction(note);
    const draw = () => {
      for (const { x, steps, isOwn } of room.frame().walker) player.frames.push({ at: performance.now(), x, steps, isPredicted: isOwn && room.isPredicting });
      requestAnimationFrame(draw);
    };
    draw();
  };
  window.walk = (dx) => {
    window.player.walkedAt = performance.now();
    window.player.room.inputBytes(Uint8Array.of(dx & 255, 0));
  };
  window.isReady = true;
`;

const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

/** A page that plays with walkers. `announced`, `answer`: the module that `Welcome` names, and what `/rules/` answers, if not the server's. */
async function playing(t, { announced, answer, delay } = {}) {
  const site = await startSite(t, SCRIPT);
  const server = await startWalkers(t, { args: ["--allowed-origin", site] });
  const context = await launchBrowser(t);
  const modules = rulesModules(t);
  const [from, to] = [sha256(modules.good), announced && sha256(announced)];
  if (announced || delay) {
    await context.routeWebSocket(/\/ws/, (page) => {
      const far = page.connectToServer();
      const later = (send) => (delay ? setTimeout(send, delay) : send());
      page.onMessage((message) => later(() => far.send(message)));
      far.onMessage((message) => {
        const at = to ? message.indexOf(from) : -1;
        if (at >= 0) to.copy(message, at);
        later(() => page.send(message));
      });
    });
  }
  if (answer) await context.route("**/rules/*.wasm", answer);
  const opened = await openPage(context, site);
  await opened.page.waitForFunction(() => window.isReady);
  await opened.page.evaluate((url) => window.play(url), server.socket);
  await opened.page.waitForFunction(() => window.player?.frames.length > 0);
  return { ...opened, server };
}

const withBytes = (bytes) => (route) =>
  route.fulfill({ body: Buffer.from(bytes), contentType: "application/wasm", headers: { "access-control-allow-origin": "*" } });

/** The page plays on: snapshots come, and the player's own walker walks. */
async function playsOn(page) {
  const [tick, x] = await page.evaluate(() => [window.player.room.stats.tick, window.player.frames.at(-1).x]);
  await page.evaluate(() => window.walk(1));
  await page.waitForFunction(([tick, x]) => window.player.room.stats.tick > tick + 30 && window.player.frames.at(-1).x > x + 30, [tick, x]);
  const status = await page.evaluate(() => window.player.room.stats);
  assert.deepEqual([status.phase, status.viewMismatches, status.protocolErrors], ["playing", 0, 0]);
}

test("any game is predicted by its room's module, to the bit", MINUTE, async (t) => {
  const { page, problems } = await playing(t);
  await page.waitForFunction(() => window.player.room.isPredicting);
  assert.deepEqual(await page.evaluate(() => window.player.notes), ["predicting"]);
  await playsOn(page);
  // Inputs that come late, as the clocks settle, are corrected.
  const { comparedPredictions, corrections } = await page.evaluate(() => window.player.room.stats);
  await page.waitForFunction((compared) => window.player.room.stats.comparedPredictions > compared + 300, comparedPredictions);
  const later = await page.evaluate(() => ({ ...window.player.room.stats, note: window.player.room.predictionNote, ...window.player.frames.at(-1) }));
  t.diagnostic(`${later.comparedPredictions} compared, ${later.corrections} corrected, ${corrections} of them at first`);
  assert.equal(later.corrections - corrections, 0);
  assert.equal(later.note, "");
  assert.ok(later.isPredicted && later.steps > 300, JSON.stringify(later));
  assert.deepEqual(problems, []);
});

test("over a long path the own walker walks at once", MINUTE, async (t) => {
  const { page, problems } = await playing(t, { delay: 100 });
  await page.waitForFunction(() => window.player.room.isPredicting);
  await page.waitForFunction(() => window.player.room.stats.rttMs > 190 && window.player.room.stats.comparedPredictions > 120);
  const started = await page.evaluate(async () => {
    window.player.frames.length = 0;
    window.walk(1);
    await new Promise((done) => setTimeout(done, 1000));
    const [first] = window.player.frames;
    const moved = window.player.frames.find(({ x }) => x > first.x);
    return { after: moved.at - window.player.walkedAt, steps: window.player.frames.slice(1).map(({ x }, at) => x - window.player.frames[at].x) };
  });
  t.diagnostic(`walks ${started.after.toFixed(1)} ms after the input, with a round trip of 200 ms`);
  assert.ok(started.after < 100, `${started.after} ms`);
  assert.ok(Math.min(...started.steps) >= 0, `steps back: ${started.steps}`);
  assert.deepEqual(problems, []);
});

const REFUSED = {
  "imports": /imports/,
  "start-function": /start function/,
  "no-memory-maximum": /no maximum/,
  "four-gigabytes": /16 MiB/,
  "four-gigabytes-at-once": /16 MiB/,
  "no-module": /not a WebAssembly module/,
  "cut-off": /damaged/,
  "wrong-exports": /tickwire_advance/,
  "wrong-signature": /tickwire_advance/,
  "invalid-code": /module is refused/,
  "later-abi": /version 2/,
  "other-rules": /other rules/,
  "traps-at-start": /does not start/,
};

for (const [name, reason] of Object.entries(REFUSED)) {
  test(`the page plays on without a bad module: ${name}`, MINUTE, async (t) => {
    const bad = rulesModules(t)[name];
    const { page } = await playing(t, { announced: bad, answer: withBytes(bad) });
    await page.waitForFunction(() => window.player.notes.length > 0);
    const told = await page.evaluate(() => ({ ...window.player, note: window.player.room.predictionNote, isPredicting: window.player.room.isPredicting }));
    assert.match(told.note, reason);
    assert.deepEqual([told.notes, told.isPredicting], [[told.note], false]);
    assert.ok(told.notedAt - told.joinedAt < 1000, `${told.notedAt - told.joinedAt} ms`);
    await playsOn(page);
  });
}

for (const name of ["traps", "traps-later"]) {
  test(`a module that ${name.replace("-", " ")} ends prediction, not play`, MINUTE, async (t) => {
    const bad = rulesModules(t)[name];
    const { page, problems } = await playing(t, { announced: bad, answer: withBytes(bad) });
    await page.waitForFunction(() => window.player.notes.some((note) => note !== "predicting"));
    const note = await page.evaluate(() => window.player.room.predictionNote);
    assert.match(note, /trapped/);
    assert.equal(await page.evaluate(() => window.player.room.isPredicting), false);
    await playsOn(page);
    assert.deepEqual(problems, []);
  });
}

test("bytes that do not match the hash are refused", MINUTE, async (t) => {
  const { "differs": other } = rulesModules(t);
  const { page, problems } = await playing(t, { answer: withBytes(other) });
  await page.waitForFunction(() => window.player.notes.length > 0);
  assert.match(await page.evaluate(() => window.player.room.predictionNote), /hash differs/);
  await playsOn(page);
  assert.deepEqual(problems, []);
});

test("a module that is too large is refused", MINUTE, async (t) => {
  const { page } = await playing(t, { answer: withBytes(new Uint8Array(2 << 20)) });
  await page.waitForFunction(() => window.player.notes.length > 0);
  assert.match(await page.evaluate(() => window.player.room.predictionNote), /larger than 1 MiB/);
  await playsOn(page);
});

test("a server without the module is believed after a few tries", MINUTE, async (t) => {
  let requests = 0;
  const { page } = await playing(t, {
    answer: (route) => {
      requests++;
      return route.fulfill({ status: 404, headers: { "access-control-allow-origin": "*" } });
    },
  });
  await page.waitForFunction(() => window.player.notes.length > 0);
  assert.match(await page.evaluate(() => window.player.room.predictionNote), /answers 404/);
  assert.equal(requests, 3);
  await playsOn(page);
});

test("a broken connection is tried again while the page plays", MINUTE, async (t) => {
  let requests = 0;
  const { page } = await playing(t, { answer: (route) => (requests++ < 2 ? route.abort() : route.continue()) });
  assert.equal(await page.evaluate(() => window.player.room.isPredicting), false);
  await page.waitForFunction(() => window.player.room.isPredicting);
  assert.equal(requests, 3);
  await playsOn(page);
});
