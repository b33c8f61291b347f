// Even motion: at any rate of the display, the own entity moves in each frame as far as its speed says.

import assert from "node:assert/strict";
import { launchBrowser, openPage, startSite, startTag, test } from "./harness.mjs";

const SCRIPT = `
  import { join } from "./index.js";
  window.play = async (url) => void (window.room = await join({ url, room: "meadow", resume: false }));
  window.isReady = true;
`;

/** Of examples/tag: units a second, and one step of a position in units. */
const SPEED = 3 * 60;
const STEP = 1 / 16;
const FRAMES = 120;

test("own motion is even at 48 to 240 Hz", { timeout: 90_000 }, async (t) => {
  const site = await startSite(t, SCRIPT);
  const server = await startTag(t, { args: ["--allowed-origin", site] });
  const { page, problems } = await openPage(await launchBrowser(t), site);
  await page.waitForFunction(() => window.isReady);
  await page.evaluate((url) => window.play(url), server.socket);
  // Until the clocks have settled they run a little faster or slower.
  await page.waitForFunction(() => {
    window.room.frame();
    return window.room.isPredicting && window.room.stats.tick > 0 && window.room.stats.comparedPredictions > 300;
  });
  let direction = 1;
  for (const hz of [48, 60, 75, 90, 120, 144, 240]) {
    const errors = await page.evaluate(
      async ({ hz, count, speed, direction }) => {
        const { room } = window;
        room.input = { dx: direction };
        // A display whose frames are exactly even: the time of each is when it is due, however late the timer.
        const errors = [];
        let [x, at] = [undefined, undefined];
        let due = performance.now() + 200;
        while (errors.length < count) {
          due += 1000 / hz;
          while (performance.now() < due - 6) await new Promise((done) => setTimeout(done));
          while (performance.now() < due);
          const now = performance.now();
          room.frame();
          const moved = room.me.x;
          if (x !== undefined) errors.push((moved - x) * direction - (speed * (now - at)) / 1000);
          [x, at] = [moved, now];
        }
        return errors;
      },
      { hz, count: FRAMES, speed: SPEED, direction },
    );
    direction = -direction;
    const sorted = errors.map(Math.abs).sort((a, b) => a - b);
    const steps = (at) => (sorted[Math.floor(at * (sorted.length - 1))] / STEP).toFixed(2);
    t.diagnostic(`${hz} Hz: half within ${steps(0.5)}, 95 % within ${steps(0.95)}, all within ${steps(1)} lane steps of the ideal`);
    // Each of the two positions is rounded to a step. A frame whose clock is read late, or whose correction is smoothed, is off by more.
    assert.ok(sorted[Math.floor(0.95 * sorted.length)] <= 1.5 * STEP, `${hz} Hz: ${steps(0.95)} lane steps`);
  }
  assert.deepEqual(problems, []);
});
