// Even motion: at any rate of the display, the own entity moves in each frame as far as its speed says.

import assert from "node:assert/strict";
import { launchBrowser, openPage, startSite, startTag, testInBoth } from "./harness.mjs";

const SCRIPT = `
  import { join } from "./index.js";
  // While a frame is made, the time stands still: else the test would measure how long a frame takes on a busy machine.
  const exact = performance.now.bind(performance);
  let frameTime;
  performance.now = () => frameTime ?? exact();
  window.frameAt = (time) => {
    frameTime = time;
    window.room.frame();
    frameTime = undefined;
  };
  window.play = async (url) => void (window.room = await join({ url, room: "meadow", resume: false }));
  window.isReady = true;
`;

/** Of examples/tag: units a second, and one step of a position in units. */
const SPEED = 3 * 60;
const STEP = 1 / 16;
const FRAMES = 120;
/** How much faster or slower the input clock may run while it is steered (docs/PROTOCOL.md), and the predicted entity with it. */
const STEERING = 0.05;

/** How many inputs have come too late. */
async function untimely({ ops }) {
  const text = await (await fetch(`${ops}/metrics`)).text();
  const counts = [...text.matchAll(/^tickwire_inputs_total\{outcome="(?:late|repeated)"\} (\d+)$/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}

testInBoth("own motion is even at 48 to 240 Hz", { timeout: 90_000 }, async (t) => {
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
  const measured = async (hz) => {
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
          window.frameAt(now);
          const moved = room.me.x;
          if (x !== undefined) errors.push((moved - x) * direction - (speed * (now - at)) / 1000);
          [x, at] = [moved, now];
        }
        return errors;
      },
      { hz, count: FRAMES, speed: SPEED, direction },
    );
    direction = -direction;
    return errors;
  };
  for (const hz of [48, 60, 75, 90, 120, 144, 240]) {
    // On a busy machine inputs come late, or the clocks are corrected, and motion with them: one even try is enough. Where inputs come late
    // in each, tests/tests/clocks.rs has simulated time.
    const bound = STEP + (STEERING * SPEED) / hz;
    let [best, wasCalm] = [undefined, false];
    for (let tries = 0; tries < 5 && !(best?.at(-1) <= bound); tries++) {
      const before = await untimely(server);
      const sorted = (await measured(hz)).map(Math.abs).sort((a, b) => a - b);
      wasCalm ||= (await untimely(server)) === before;
      if (best === undefined || sorted.at(-1) < best.at(-1)) best = sorted;
    }
    const steps = (at) => (best[Math.floor(at * (best.length - 1))] / STEP).toFixed(2);
    t.diagnostic(`${hz} Hz: half within ${steps(0.5)}, 95 % within ${steps(0.95)}, all within ${steps(1)} lane steps of the ideal${wasCalm ? "" : ", with late inputs"}`);
    assert.ok(best[Math.floor(0.5 * (best.length - 1))] <= STEP, `${hz} Hz: half within ${steps(0.5)} lane steps`);
    assert.ok(!wasCalm || best.at(-1) <= bound, `${hz} Hz: ${steps(1)} lane steps, of ${bound / STEP}`);
  }
  assert.deepEqual(problems, []);
});
