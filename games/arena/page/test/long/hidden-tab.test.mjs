// A hidden tab: what it costs, and how soon it is up to date after the player returns to it.
//
//   npm run test:long                     60 s hidden
//   HIDDEN_SECONDS=10 npm run test:long   shorter
//
// Needs Xvfb. Prints the figures, with the visible seconds before as their control; asserts only what must hold.

import assert from "node:assert/strict";
import { automation, joinUrl, launchHeadedBrowser, openPage, playing, startBots, startServer, test } from "../../../../../web/test/harness.mjs";

const HIDDEN_SECONDS = Number(process.env.HIDDEN_SECONDS ?? 60);
const CONTROL_SECONDS = 5;
const TICK_RATE = 60;
const FRESH_TICKS = 15;

const seconds = (n) => new Promise((done) => setTimeout(done, n * 1000));

test(
  `a tab hidden for ${HIDDEN_SECONDS} s plays on when it is shown`,
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

    // The page itself measures how long its tick takes to catch up after it is shown again.
    await page.evaluate(
      ({ rate, freshTicks }) => {
        const due = { tick: window.tickwire.tick, at: performance.now() };
        addEventListener("visibilitychange", () => {
          if (document.visibilityState !== "visible") return;
          const seen = performance.now();
          const check = () => {
            const now = performance.now();
            const expected = due.tick + ((now - due.at) * rate) / 1000;
            if (window.tickwire.tick >= expected - freshTicks) window.freshAfterMs = now - seen;
            else requestAnimationFrame(check);
          };
          check();
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
    t.diagnostic(`within ${FRESH_TICKS} ticks of now ${fresh.toFixed(0)} ms after it was shown`);

    await playing(page);
    assert.equal((await automation(page)).viewMismatches, 0);
    assert.deepEqual(problems, []);
  },
);
