// A phone that changes networks: its wifi falls silent, and another network gives it another address.
//
// The browser runs in a network namespace with two links. Neither side sees the old connection end: no FIN, no RST. Prints the time
// from the cut to playing again; asserts the order of states, and that no player is in the room twice.

import assert from "node:assert/strict";
import { automation, joinUrl, openPage, playing, roomState, startBrowser, startServer, test, until } from "../../../../../web/test/harness.mjs";
import { Device, whyNoDevice } from "../../../../../web/test/network.mjs";

const room = "street";

const OPTIONS = { timeout: 90_000, skip: whyNoDevice() };

test("the same session plays on after a change of networks", OPTIONS, async (t) => {
  const { device, server, page, problems } = await playingOverWifi(t);
  const before = await roomState(server, room);
  await recordStates(page);

  const cutAt = Date.now();
  device.leave("wifi");
  device.join("mobile");
  await page.waitForFunction(() => window.states.length === 2 && window.tickwire.own);

  const states = await page.evaluate(() => window.states);
  t.diagnostic(states.map(({ state, at }) => `${state} ${((at - cutAt) / 1000).toFixed(2)} s after the cut`).join(", "));
  assert.deepEqual(states.map(({ state }) => state), ["reconnecting", "playing"]);
  await assertSamePlayers(t, server, before);
  const { tick } = await automation(page);
  await page.waitForFunction((tick) => window.tickwire.tick >= tick + 60 && window.tickwire.state === "playing", tick);
  assert.equal((await automation(page)).viewMismatches, 0);
  // Chromium warns that this header has no effect without TLS on other hosts than localhost.
  assert.deepEqual(problems.filter((problem) => !problem.includes("Cross-Origin-Opener-Policy")), []);
});

test("a phone without a network says so, and plays on later", OPTIONS, async (t) => {
  const { device, server, page } = await playingOverWifi(t);
  const before = await roomState(server, room);

  device.leave("wifi");
  await page.waitForFunction(() => /Reconnecting/.test(document.getElementById("overlay").innerText));
  assert.ok(await page.isVisible("#overlay"));
  // The next message is about failed attempts.
  await page.waitForFunction(() => /cannot be reached.*Trying again/.test(document.getElementById("overlay").innerText));

  device.join("mobile");
  await playing(page);
  await page.waitForFunction(() => document.getElementById("overlay").hidden);
  await assertSamePlayers(t, server, before);
  assert.equal((await automation(page)).viewMismatches, 0);
});

async function playingOverWifi(t) {
  const device = new Device(t);
  device.join("wifi");
  const server = await startServer(t, { listen: Device.listen, args: ["--npcs", "0"] });
  const { context } = await startBrowser(t, { namespace: device.namespace });
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room }));
  await playing(page);
  await page.waitForFunction(() => window.tickwire.own);
  return { device, server, page, problems };
}

/** Asserts that the same players are in the room as before, with one ship: no ghost is left. */
async function assertSamePlayers(t, server, before) {
  const after = await until(t, async () => {
    const state = await roomState(server, room);
    return state.players.some((player) => player.connected) && state;
  });
  const players = (state) => state.players.map(({ session, entity }) => ({ session, entity }));
  const ships = (state) => state.entities.filter(({ kind }) => kind === "ship");
  assert.deepEqual(players(after), players(before));
  assert.equal(ships(after).length, 1);
}

/** Makes the page record its changes of state, with their times, in `window.states`. */
const recordStates = (page) =>
  page.evaluate(() => {
    window.states = [];
    let last = window.tickwire.state;
    setInterval(() => {
      const { state } = window.tickwire;
      if (state !== last) window.states.push({ state, at: Date.now() });
      last = state;
    }, 10);
  });
