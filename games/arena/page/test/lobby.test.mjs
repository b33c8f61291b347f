// The lobby of the page at `/`.

import assert from "node:assert/strict";
import { launchBrowser, openPage, playing, startServer, testInBoth, until } from "../../../../web/test/harness.mjs";

const MINUTE = { timeout: 60_000 };
const ARGS = ["--room-list", "on", "--npcs", "0", "--max-players", "2"];

/** The rooms, as the operator sees them. */
const roomsOf = async (server) => (await fetch(`${server.ops}/rooms`)).json();

/** Waits until one room has so many players. */
const together = (t, server, players) => until(t, async () => (await roomsOf(server)).some((room) => room.players === players));

testInBoth("players meet in a room from the lobby", MINUTE, async (t) => {
  const server = await startServer(t, { args: ARGS });
  const context = await launchBrowser(t);
  const ann = await openPage(context, `${server.page}?name=Ann`);
  await ann.page.click("text=New room");
  await playing(ann.page);
  const room = new URL(ann.page.url()).searchParams.get("room");

  const bob = await openPage(context, `${server.page}?name=Bob`);
  await bob.page.waitForFunction((room) => {
    const entries = [...document.querySelectorAll("#lobby .rooms button")];
    const entry = entries.find(({ textContent }) => [room, "Ann leads with", "1 of 2"].every((text) => textContent.includes(text)));
    entry?.click();
    return entry !== undefined;
  }, room);
  await playing(bob.page);
  await together(t, server, 2);

  // The room is full now, and another page sees that.
  const cleo = await openPage(context, server.page);
  await cleo.page.waitForSelector("#lobby .rooms button:disabled");
  assert.deepEqual([...ann.problems, ...bob.problems, ...cleo.problems], []);
});

testInBoth("a private room is entered by its invitation alone", MINUTE, async (t) => {
  const server = await startServer(t, { args: ARGS });
  const context = await launchBrowser(t);
  const ann = await openPage(context, `${server.page}?name=Ann`);
  await ann.page.click("text=Private room");
  await playing(ann.page);
  await ann.page.waitForSelector("#invite");
  const { searchParams, hash } = new URL(ann.page.url());
  const room = searchParams.get("room");

  // Who only knows the name is refused, and nobody sees it in the list.
  const eve = await openPage(context, `${server.page}?name=Eve&room=${room}&autojoin=1`);
  await eve.page.waitForFunction(() => /private/.test(document.getElementById("overlay").innerText));
  const list = await openPage(context, server.page);
  await list.page.waitForSelector("text=Nobody is playing yet.");

  const bob = await openPage(context, `${server.page}?room=${room}${hash}`);
  await bob.page.fill("#join-name", "Bob");
  await bob.page.click("#join button:not([type])");
  await playing(bob.page);
  await together(t, server, 2);

  // A reloaded page comes back to its seat, though no other is free.
  const { playerId } = await bob.page.evaluate(() => window.tickwire);
  await bob.page.reload();
  await playing(bob.page);
  assert.equal((await bob.page.evaluate(() => window.tickwire)).playerId, playerId);
  assert.deepEqual([...ann.problems, ...list.problems], []);
});

testInBoth("without a list of rooms there is no lobby", MINUTE, async (t) => {
  const server = await startServer(t);
  const { page, problems } = await openPage(await launchBrowser(t), server.page);
  await page.waitForFunction(() => performance.getEntriesByType("resource").some(({ name }) => name.includes("/rooms")));
  assert.ok(!(await page.isVisible("#lobby")));
  assert.deepEqual(problems, []);
});
