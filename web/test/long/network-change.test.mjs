// A phone leaves the house: its wifi falls silent, and there is another network, with another address of its own.
//
// The browser runs in a network namespace with two links. The old connection ends for neither side: no FIN, no RST. The time
// from the cut to playing again is printed; what is asserted is the order of what happens, and that nobody is there twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { automation, joinUrl, openPage, playing, roomState, startBrowser, startServer, until } from "../harness.mjs";
import { Device, whyNoDevice } from "../network.mjs";

const room = "street";

test("a phone that changes from wifi to mobile plays on as the same", { timeout: 90_000, skip: whyNoDevice() }, async (t) => {
  const device = new Device(t);
  device.join("wifi");
  const server = await startServer(t, { listen: Device.listen, args: ["--npcs", "0"] });
  const { context } = await startBrowser(t, { namespace: device.namespace });
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room }));
  await playing(page);
  await page.waitForFunction(() => window.tickwire.own);
  const before = await roomState(server, room);
  await noteStates(page);

  const cutAt = Date.now();
  device.leave("wifi");
  device.join("mobile");
  await page.waitForFunction(() => window.states.length === 2 && window.tickwire.own);

  const states = await page.evaluate(() => window.states);
  const after = await until(t, async () => {
    const state = await roomState(server, room);
    return state.players.some((player) => player.connected) && state;
  });
  t.diagnostic(states.map(({ state, at }) => `${state} ${((at - cutAt) / 1000).toFixed(2)} s after the cut`).join(", "));
  assert.deepEqual(states.map(({ state }) => state), ["reconnecting", "playing"]);
  assert.deepEqual(after.players.map(({ session, entity }) => ({ session, entity })), before.players.map(({ session, entity }) => ({ session, entity })));
  assert.equal(shipsOf(after), 1, "no ghost is left");
  const { tick } = await automation(page);
  await page.waitForFunction((tick) => window.tickwire.tick >= tick + 60 && window.tickwire.state === "playing", tick);
  assert.equal((await automation(page)).viewMismatches, 0);
  // Without TLS, and not by the name localhost, a header is of no use to the browser, and it says so.
  assert.deepEqual(problems.filter((problem) => !problem.includes("Cross-Origin-Opener-Policy")), []);
});

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

const shipsOf = (state) => state.entities.filter(({ kind }) => kind === "ship").length;
