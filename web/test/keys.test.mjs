// Keys: what the player holds is let go of whenever the page might not hear of its release.

import assert from "node:assert/strict";
import { launchBrowser, openPage, startSite, startTag, testInBoth } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };
/** Half a second, and how far a runner of tag may move in it that was let go of: it runs 3 units a tick. */
const TICKS = 30;
const REST = 5;

const SCRIPT = `
  import { join } from "./index.js";
  import { followKeys } from "./keys.js";
  window.play = async (url) => {
    const room = (window.room = await join({ url, room: "meadow", resume: false }));
    followKeys({ steer: (dx, dy) => (room.input = { dx, dy }) });
    const draw = () => {
      room.frame();
      requestAnimationFrame(draw);
    };
    draw();
  };
  window.isReady = true;
`;

async function playing(t) {
  const site = await startSite(t, SCRIPT);
  const server = await startTag(t, { args: ["--allowed-origin", site] });
  const { page, problems } = await openPage(await launchBrowser(t), site);
  await page.waitForFunction(() => window.isReady);
  await page.evaluate((url) => window.play(url), server.socket);
  await page.waitForFunction(() => window.room?.me && window.room.isPredicting);
  await page.bringToFront();
  return { page, problems };
}

const ticks = async (page, count) => {
  const { tick } = await page.evaluate(() => window.room.stats);
  await page.waitForFunction((until) => window.room.stats.tick >= until, tick + count);
};
const x = (page) => page.evaluate(() => window.room.me.x);

/** Says that the page is hidden, or visible. */
const show = (page, state) =>
  page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  }, state);

const ENDS = {
  "the Meta key": async (page) => {
    await page.keyboard.down("Meta");
    await page.keyboard.up("Meta");
  },
  "another window": (page) => page.evaluate(() => void window.dispatchEvent(new Event("blur"))),
  "a hidden tab without a blur": async (page) => {
    await show(page, "hidden");
    await show(page, "visible");
  },
};

testInBoth("a held key is let go of under Meta, in another window and in a hidden tab", { ...MINUTE, differs: true }, async (t) => {
  const { page, problems } = await playing(t);
  for (const [name, end] of Object.entries(ENDS)) {
    const start = await x(page);
    await page.keyboard.down("d");
    await page.waitForFunction((start) => window.room.me.x > start + 50, start);
    await end(page);
    await ticks(page, 1);
    const before = await x(page);
    await ticks(page, TICKS);
    const moved = (await x(page)) - before;
    t.diagnostic(`${name}: ${moved.toFixed(1)} units in half a second`);
    assert.ok(moved < REST, `${name}: ${moved} units`);
    await page.keyboard.up("d");
  }
  assert.deepEqual(problems, []);
});

testInBoth("keys that somebody types do not steer", MINUTE, async (t) => {
  const { page } = await playing(t);
  await page.evaluate(() => {
    const field = document.createElement("input");
    document.body.append(field);
    field.focus();
  });
  const before = await x(page);
  await page.keyboard.down("d");
  await ticks(page, 10);
  await page.keyboard.up("d");
  assert.equal(await x(page), before);
  assert.equal(await page.evaluate(() => document.querySelector("input").value), "d");
});
