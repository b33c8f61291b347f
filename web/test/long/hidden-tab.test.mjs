// A player looks at another tab for a while and comes back: what did the hidden tab cost, and how soon is it fresh again?
//
//   npm run test:long                     60 s hidden
//   HIDDEN_SECONDS=10 npm run test:long   shorter
//
// Needs Xvfb. The figures are printed, with the seconds before as their control; only what must hold is asserted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { automation, joinUrl, launchHeadedBrowser, openPage, playing, startBots, startServer } from "../harness.mjs";

const HIDDEN_SECONDS = Number(process.env.HIDDEN_SECONDS ?? 60);
const CONTROL_SECONDS = 5;
const TICK_RATE = 60;
const FRESH_TICKS = 15;

const seconds = (n) => new Promise((done) => setTimeout(done, n * 1000));

test(
  `a tab that was hidden for ${HIDDEN_SECONDS} s plays on when it is looked at`,
  { timeout: (HIDDEN_SECONDS + CONTROL_SECONDS + 60) * 1000 },
  async (t) => {
    const server = await startServer(t);
    startBots(t, server, { bots: 10, room: "lobby" });
    const context = await launchHeadedBrowser(t);
    const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room: "lobby" }));
    await playing(page);
    const bytesPerSecond = async (duration) => {
      const before = await automation(page);
      const start = performance.now();
      await seconds(duration);
      const after = await automation(page);
      return ((after.bytesIn - before.bytesIn) * 1000) / (performance.now() - start);
    };
    const visible = await bytesPerSecond(CONTROL_SECONDS);

    // The page itself notes when it is looked at again, and when its tick has caught up with the time that passed.
    await page.evaluate(
      ({ rate, freshTicks }) => {
        const due = { tick: window.tickwire.tick, at: performance.now() };
        addEventListener("visibilitychange", () => {
          if (document.visibilityState !== "visible") return;
          const seen = performance.now();
          const look = () => {
            const now = performance.now();
            const expected = due.tick + ((now - due.at) * rate) / 1000;
            if (window.tickwire.tick >= expected - freshTicks) window.freshAfterMs = now - seen;
            else requestAnimationFrame(look);
          };
          look();
        });
      },
      { rate: TICK_RATE, freshTicks: FRESH_TICKS },
    );

    const other = await context.newPage();
    await other.bringToFront();
    await page.waitForFunction(() => document.visibilityState === "hidden", null, { polling: 100 });
    const hidden = await bytesPerSecond(HIDDEN_SECONDS);
    const state = (await automation(page)).state;

    await page.bringToFront();
    await page.waitForFunction(() => window.freshAfterMs !== undefined, null, { timeout: 10_000 });
    const fresh = await page.evaluate(() => window.freshAfterMs);
    t.diagnostic(`bytes/s: ${visible.toFixed(0)} visible, ${hidden.toFixed(0)} hidden for ${HIDDEN_SECONDS} s (state ${state})`);
    t.diagnostic(`within ${FRESH_TICKS} ticks of now ${fresh.toFixed(0)} ms after it was looked at`);

    await playing(page);
    assert.equal((await automation(page)).viewMismatches, 0);
    assert.deepEqual(problems, []);
  },
);
