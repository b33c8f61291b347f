// Clocks of browsers that are set, or that show the time in steps: the game is played with all of them.

import assert from "node:assert/strict";
import { launchBrowser, openPage, startSite, startTag, test } from "./harness.mjs";
import { startFirefox } from "./firefox.mjs";

const MINUTES = { timeout: 90_000 };
const SCRIPT = `
  import { join } from "./index.js";
  window.play = async (url) => {
    const room = (window.room = await join({ url, room: "meadow", resume: false }));
    window.phases = [];
    room.onPhase(({ phase }) => window.phases.push(phase));
    window.path = [];
    const draw = () => {
      room.frame();
      if (room.me) window.path.push(room.me.x);
      requestAnimationFrame(draw);
    };
    draw();
  };
  window.isReady = true;
`;

async function playing(t, launch) {
  const site = await startSite(t, SCRIPT);
  const server = await startTag(t, { args: ["--allowed-origin", site] });
  const { page, problems } = await openPage(await launch(), site);
  await page.waitForFunction(() => window.isReady);
  await page.evaluate((url) => window.play(url), server.socket);
  await page.waitForFunction(() => window.room.isPredicting && window.room.stats.comparedPredictions > 180);
  return { server, page, problems };
}

/** Inputs that the server applied in so many ticks. */
async function appliedIn(server, page, ticks) {
  const count = async () => {
    const text = await (await fetch(`${server.ops}/metrics`)).text();
    return Number(/^tickwire_inputs_total\{outcome="applied"\} (\d+)$/m.exec(text)[1]);
  };
  const { tick } = await page.evaluate(() => window.room.stats);
  const before = await count();
  await page.waitForFunction((until) => window.room.stats.tick >= until, tick + ticks);
  return (await count()) - before;
}

for (const [name, launch] of [
  ["100 ms (Chromium)", launchBrowser],
  ["a hardened Firefox", (t) => startFirefox(t, { "privacy.resistFingerprinting": true })],
]) {
  test(`a clock in steps of ${name} is played with`, MINUTES, async (t) => {
    const { server, page, problems } = await playing(t, async () => {
      const context = await launch(t);
      await context.addInitScript?.(() => {
        for (const clock of [performance, Date]) {
          const exact = clock.now.bind(clock);
          clock.now = () => Math.floor(exact() / 100) * 100;
        }
      });
      return context;
    });
    const step = await page.evaluate(async () => {
      const start = performance.now();
      let [last, least] = [start, Infinity];
      while (last < start + 500) {
        const now = performance.now();
        if (now !== last) least = Math.min(least, now - last);
        last = now;
        await new Promise((done) => setTimeout(done));
      }
      return least;
    });
    await page.evaluate(() => (window.room.input = { dx: 1 }));
    await page.waitForFunction(() => window.room.me.x > 300);
    await page.evaluate(() => (window.path.length = 0));
    const applied = await appliedIn(server, page, 120);
    const path = await page.evaluate(() => window.path);
    const moved = path.slice(1).map((x, at) => x - path[at]);
    const standing = moved.filter((by) => by < 0.5).length;
    const [most, frames] = [Math.max(...moved), moved.length];
    t.diagnostic(`steps of ${step} ms: ${applied} of 120 inputs; of ${frames} frames ${standing} stand still, the longest step is ${most.toFixed(1)} units`);
    // A busy machine loses some. By the steps themselves, nearly all inputs would come in bursts, and five of six frames would stand still.
    assert.ok(applied >= 60, `${applied} of 120 inputs`);
    assert.ok(standing < frames / 4, `${standing} of ${frames} frames stand still`);
    assert.deepEqual(problems, []);
  });
}

test("a wall clock that is set is no sleep", MINUTES, async (t) => {
  const { server, page, problems } = await playing(t, () => launchBrowser(t));
  // What this machine does without.
  const usual = await appliedIn(server, page, 120);
  for (const seconds of [5, 3600, -3600]) {
    await page.evaluate((seconds) => {
      const exact = Date.now.bind(Date);
      Date.now = () => exact() + seconds * 1000;
    }, seconds);
    const applied = await appliedIn(server, page, 120);
    t.diagnostic(`${seconds} s: ${applied} of 120 inputs in the first two seconds, ${usual} before`);
    assert.ok(applied >= 0.6 * usual, `${seconds} s: ${applied} of 120 inputs`);
  }
  assert.deepEqual(await page.evaluate(() => window.phases), []);
  assert.deepEqual(problems, []);
});
