// A laptop that sleeps: the whole browser is stopped while the server goes on, and later continues.
//
// SIGSTOP emulates the sleep: no code runs and no timer fires. Unlike in a real sleep, the network goes on (the kernel still receives
// until its buffers are full), and so do the clocks. So one test cuts the network too, and some stop `performance.now()`, as the
// monotonic clock stops in a real sleep on Linux and macOS. Power and screen events of the system are not emulated.
//
// The server decides how long a sleep lasts: until it has given up the connection, or the session.

import assert from "node:assert/strict";
import { automation, freeze, joinUrl, openPage, playing, roomState, startBrowser, startServer, test, until } from "../../../../../web/test/harness.mjs";
import { Device, whyNoDevice } from "../../../../../web/test/network.mjs";

const room = "bedroom";
const LIMITS = { timeout: 120_000 };
const QUICK_HEARTBEAT = ["--heartbeat-interval", "1s", "--heartbeat-timeout", "1s", "--rtt-interval", "500ms", "--npcs", "0"];

const isConnected = (state) => state.players.some((player) => player.connected);
const playersOf = (state) => state.players.map(({ session, entity }) => ({ session, entity }));

test("the same session and score go on after a lost connection", LIMITS, async (t) => {
  const server = await startServer(t, { args: QUICK_HEARTBEAT });
  const { context, pid } = await startBrowser(t);
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room }));
  await playing(page);
  await scoreMoreThan(page, 0);
  const [before, score] = [await roomState(server, room), await ownScore(page)];

  await sleep(t, { server, pid, isOver: (state) => !isConnected(state) });
  const after = await backInThePresent(t, server, page);

  assert.deepEqual(playersOf(after), playersOf(before));
  assert.equal(await ownScore(page), score);
  await scoreMoreThan(page, score);
  assert.deepEqual(problems, []);
});

test("a sleep with a stopped clock that ends in another network", { ...LIMITS, skip: whyNoDevice() }, async (t) => {
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
  const after = await backInThePresent(t, server, page);

  assert.deepEqual(playersOf(after), playersOf(before));
  assert.ok((await page.evaluate(() => window.sleptMs)) > 0, "the clock did not stop: this tested nothing");
});

test("a nap that the connection survives", LIMITS, async (t) => {
  const server = await startServer(t, { args: ["--npcs", "0"] });
  const { context, pid } = await startBrowser(t);
  await context.addInitScript(stopClockInSleep);
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room }));
  await playing(page);
  const before = await roomState(server, room);

  await sleep(t, { server, pid, isOver: (state) => state.tick > before.tick + 300 });
  const after = await backInThePresent(t, server, page);

  assert.deepEqual(playersOf(after), playersOf(before));
  assert.ok((await page.evaluate(() => window.sleptMs)) > 0, "the clock did not stop: this tested nothing");
  assert.deepEqual(problems, []);
});

test("a new session plays on after a sleep that ended the old one", LIMITS, async (t) => {
  const server = await startServer(t, { args: [...QUICK_HEARTBEAT, "--resume-window", "1s"] });
  const { context, pid } = await startBrowser(t);
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room }));
  await playing(page);
  const before = await roomState(server, room);

  await sleep(t, { server, pid, isOver: (state) => state.players.length === 0 });
  const after = await backInThePresent(t, server, page);

  assert.equal(after.players.length, 1);
  assert.notEqual(after.players[0].session, before.players[0].session);
  await page.waitForFunction(() => document.getElementById("overlay").hidden);
  assert.deepEqual(problems, []);
});

/** Suspends the browser until `isOver` holds of the room's state. */
async function sleep(t, { server, pid, isOver, beforeWaking = () => {} }) {
  const wake = freeze(t, pid);
  await until(t, async () => isOver(await roomState(server, room)));
  beforeWaking();
  wake();
}

/** Waits until the page shows the present, and returns the room's state. */
async function backInThePresent(t, server, page) {
  const wokenAt = Date.now();
  const { tick } = await roomState(server, room);
  await page.waitForFunction((tick) => window.tickwire.tick >= tick && window.tickwire.state === "playing", tick);
  await page.waitForFunction(() => window.tickwire.own);
  t.diagnostic(`playing in the present ${((Date.now() - wokenAt) / 1000).toFixed(2)} s after the sleep`);

  // It still plays after two more seconds of ticks, without a mismatch.
  await page.waitForFunction((tick) => window.tickwire.tick >= tick && window.tickwire.state === "playing", (await automation(page)).tick + 120);
  assert.equal((await automation(page)).viewMismatches, 0);
  return until(t, async () => {
    const state = await roomState(server, room);
    return isConnected(state) && state;
  });
}

/** Runs in the page before its own code: makes `performance.now()` leave out the time in which nothing runs. */
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

/** Flies around until the score, from collected pellets, is higher. */
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
