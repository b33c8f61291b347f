// A phone leaves the house: its wifi falls silent, and there is another network, with another address of its own.
//
// The browser runs in a network namespace with two links. The old connection ends for neither side: no FIN, no RST. The time
// from the cut to playing again is printed; what is asserted is the order of what happens, and that nobody is there twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { automation, joinUrl, openPage, playing, roomState, startBrowser, startServer, until } from "../harness.mjs";
import { Device, whyNoDevice } from "../network.mjs";

const room = "street";

const OPTIONS = { timeout: 90_000, skip: whyNoDevice() };

test("a phone that changes from wifi to mobile plays on as the same", OPTIONS, async (t) => {
  const { device, server, page, problems } = await playingOverWifi(t);
  const before = await roomState(server, room);
  await noteStates(page);

  const cutAt = Date.now();
  device.leave("wifi");
  device.join("mobile");
  await page.waitForFunction(() => window.states.length === 2 && window.tickwire.own);

  const states = await page.evaluate(() => window.states);
  t.diagnostic(states.map(({ state, at }) => `${state} ${((at - cutAt) / 1000).toFixed(2)} s after the cut`).join(", "));
  assert.deepEqual(states.map(({ state }) => state), ["reconnecting", "playing"]);
  await sameAndNobodyElse(t, server, before);
  const { tick } = await automation(page);
  await page.waitForFunction((tick) => window.tickwire.tick >= tick + 60 && window.tickwire.state === "playing", tick);
  assert.equal((await automation(page)).viewMismatches, 0);
  // Without TLS, and not by the name localhost, a header is of no use to the browser, and it says so.
  assert.deepEqual(problems.filter((problem) => !problem.includes("Cross-Origin-Opener-Policy")), []);
});

test("a phone without any network says so, and plays on when there is one", OPTIONS, async (t) => {
  const { device, server, page } = await playingOverWifi(t);
  const before = await roomState(server, room);

  device.leave("wifi");
  await page.waitForFunction(() => /Reconnecting/.test(document.getElementById("overlay").innerText));
  assert.ok(await page.isVisible("#overlay"));
  // The next notice is of attempts that fail.
  await page.waitForFunction(() => /cannot be reached.*Trying again/.test(document.getElementById("overlay").innerText));

  device.join("mobile");
  await playing(page);
  await page.waitForFunction(() => document.getElementById("overlay").hidden);
  await sameAndNobodyElse(t, server, before);
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

/** Whoever was there is there again, and no ship but theirs: no ghost is left. */
async function sameAndNobodyElse(t, server, before) {
  const after = await until(t, async () => {
    const state = await roomState(server, room);
    return state.players.some((player) => player.connected) && state;
  });
  const players = (state) => state.players.map(({ session, entity }) => ({ session, entity }));
  const ships = (state) => state.entities.filter(({ kind }) => kind === "ship");
  assert.deepEqual(players(after), players(before));
  assert.equal(ships(after).length, 1);
}

/** From now on `window.states` holds each state that the page changes to, and when. */
const noteStates = (page) =>
  page.evaluate(() => {
    window.states = [];
    let last = window.tickwire.state;
    setInterval(() => {
      const { state } = window.tickwire;
      if (state !== last) window.states.push({ state, at: Date.now() });
      last = state;
    }, 10);
  });