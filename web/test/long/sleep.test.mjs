// A laptop sleeps: the browser, all of it, stands still while the server goes on, and then goes on as if nothing had been.
//
// SIGSTOP stands for the sleep: no code runs, no timer fires, and nothing is noticed before it is over. What it leaves as it
// was are the network (the system still takes what comes, until its buffers are full) and the clocks. So in one test the
// network is cut too, and `performance.now()` stands still, as the monotonic clock does in a real sleep on Linux and macOS.
// What nothing here does is what the system and the browser say of a sleep: their events of power and of the screen.
//
// How long a sleep lasts is for the server to say: until it gave up the connection, or the session.

import assert from "node:assert/strict";
import { test } from "node:test";
import { automation, freeze, joinUrl, openPage, playing, roomState, startBrowser, startServer, until } from "../harness.mjs";
import { Device, whyNoDevice } from "../network.mjs";

const room = "bedroom";
const LIMITS = { timeout: 120_000 };
const QUICK_HEARTBEAT = ["--heartbeat-interval", "1s", "--heartbeat-timeout", "1s", "--rtt-interval", "500ms", "--npcs", "0"];

const isConnected = (state) => state.players.some((player) => player.connected);
const whoIsThere = (state) => state.players.map(({ session, entity }) => ({ session, entity }));

test("a sleep that ends the connection: the same session plays on, and its score goes on", LIMITS, async (t) => {
  const server = await startServer(t, { args: QUICK_HEARTBEAT });
  const { context, pid } = await startBrowser(t);
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room }));
  await playing(page);
  await scoreMoreThan(page, 0);
  const [before, score] = [await roomState(server, room), await ownScore(page)];

  await sleep(t, { server, pid, isOver: (state) => !isConnected(state) });
  const after = await backInTheTrueWorld(t, server, page);

  assert.deepEqual(whoIsThere(after), whoIsThere(before));
  assert.equal(await ownScore(page), score);
  await scoreMoreThan(page, score);
  assert.deepEqual(problems, []);
});

test("a sleep in which the clock stands still, and that ends in another network", { ...LIMITS, skip: whyNoDevice() }, async (t) => {
  const device = new Device(t);
  device.join("wifi");
  const server = await startServer(t, { listen: Device.listen, args: QUICK_HEARTBEAT });
  const { context, pid } = await startBrowser(t, { namespace: device.namespace });
  await context.addInitScript(stopClockInSleep);
  const { page } = await openPage(context, joinUrl(server, { name: "Ann", room }));
  await playing(page);
  const before = await roomState(server, room);

  device.leave("wifi");
  await sleep(t, { server, pid, isOver: (state) => !isConnected(state), beforeWaking: () => device.join("mobile") });
  const after = await backInTheTrueWorld(t, server, page);

  assert.deepEqual(whoIsThere(after), whoIsThere(before));
  assert.ok((await page.evaluate(() => window.sleptMs)) > 0, "the clock did not stand still: this tested nothing");
});

test("a nap that the connection survives", LIMITS, async (t) => {
  const server = await startServer(t, { args: ["--npcs", "0"] });
  const { context, pid } = await startBrowser(t);
  await context.addInitScript(stopClockInSleep);
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room }));
  await playing(page);
  const before = await roomState(server, room);

  await sleep(t, { server, pid, isOver: (state) => state.tick > before.tick + 300 });
  const after = await backInTheTrueWorld(t, server, page);

  assert.deepEqual(whoIsThere(after), whoIsThere(before));
  assert.ok((await page.evaluate(() => window.sleptMs)) > 0, "the clock did not stand still: this tested nothing");
  assert.deepEqual(problems, []);
});

test("a sleep that the session does not outlast: a new one plays on, without a click", LIMITS, async (t) => {
  const server = await startServer(t, { args: [...QUICK_HEARTBEAT, "--resume-window", "1s"] });
  const { context, pid } = await startBrowser(t);
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room }));
  await playing(page);
  const before = await roomState(server, room);

  await sleep(t, { server, pid, isOver: (state) => state.players.length === 0 });
  const after = await backInTheTrueWorld(t, server, page);

  assert.equal(after.players.length, 1);
  assert.notEqual(after.players[0].session, before.players[0].session);
  await page.waitForFunction(() => document.getElementById("overlay").hidden);
  assert.deepEqual(problems, []);
});

/** The browser sleeps until the server says something of the room. */
async function sleep(t, { server, pid, isOver, beforeWaking = () => {} }) {
  const wake = freeze(t, pid);
  await until(t, async () => isOver(await roomState(server, room)));
  beforeWaking();
  wake();
}

/** Waits until the page shows the world of now, and returns what the server says of the room. */
async function backInTheTrueWorld(t, server, page) {
  const wokenAt = Date.now();
  const { tick } = await roomState(server, room);
  await page.waitForFunction((tick) => window.tickwire.tick >= tick && window.tickwire.state === "playing", tick);
  await page.waitForFunction(() => window.tickwire.own);
  t.diagnostic(`playing in the present ${((Date.now() - wokenAt) / 1000).toFixed(2)} s after the sleep`);

  // Two seconds of ticks more, and it still plays and was told nothing wrong.
  await page.waitForFunction((tick) => window.tickwire.tick >= tick && window.tickwire.state === "playing", (await automation(page)).tick + 120);
  assert.equal((await automation(page)).viewMismatches, 0);
  return until(t, async () => {
    const state = await roomState(server, room);
    return isConnected(state) && state;
  });
}

/** In the page, before its own code: `performance.now()` does not count the time in which nothing runs. */
function stopClockInSleep() {
  const longest = 1_000;
  const real = performance.now.bind(performance);
  let last = real();
  window.sleptMs = 0;
  performance.now = () => {
    const now = real();
    if (now - last > longest) window.sleptMs += now - last;
    last = now;
    return now - window.sleptMs;
  };
}

const ownScore = (page) => page.evaluate(() => Number(document.querySelector("#board .own .number")?.textContent ?? 0));

/** Flies about until enough pellets are collected. */
async function scoreMoreThan(page, score) {
  for (let leg = 0; ; leg++) {
    const key = "wdsa"[leg % 4];
    await page.keyboard.down(key);
    const hasMore = page.waitForFunction((score) => Number(document.querySelector("#board .own .number")?.textContent) > score, score, {
      timeout: 700 * (1 + leg),
    });
    const isDone = await hasMore.then(() => true, () => false);
    await page.keyboard.up(key);
    if (isDone) return;
  }
}
