// The pages of examples/: each opens, joins, moves its own player by a key, and shows what another player does.

import assert from "node:assert/strict";
import { launchBrowser, openPage, startExample, test, testInBoth } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };

/** Two players on the pages of an example, in one room. */
async function twoPlayers(t, example, args = []) {
  const server = await startExample(t, example, args);
  const context = await launchBrowser(t);
  const players = [];
  for (const name of ["Ada", "Ben"]) {
    const { page, problems } = await openPage(context, `${server.page}?${new URLSearchParams({ room: "meadow", name })}`);
    await page.waitForFunction(() => window.room?.me);
    players.push({ page, problems });
  }
  return { server, players };
}

/** A game whose player moves right while a key is held: at once on the own page, by prediction, and on the other's. */
function movesByAKey(example, kind, args, declare = test) {
  declare(`the page of ${example} moves its player at once, and shows the other`, MINUTE, async (t) => {
    const { players } = await twoPlayers(t, example, args);
    const [ada, ben] = players.map(({ page }) => page);
    await ada.waitForFunction(() => window.room.isPredicting);
    const start = await ada.evaluate(() => window.room.me.x);
    const id = await ada.evaluate(() => window.room.ownId);
    const seen = await ben.evaluate(([kind, id]) => window.room.frame()[kind].find((row) => row.id === id).x, [kind, id]);
    await ada.bringToFront();
    await ada.keyboard.down("ArrowRight");
    await ada.waitForFunction((start) => window.room.me.x > start + 20, start);
    await ben.waitForFunction(([kind, id, seen]) => window.room.frame()[kind].find((row) => row.id === id).x > seen + 20, [kind, id, seen]);
    await ada.keyboard.up("ArrowRight");
    const stats = await ada.evaluate(() => window.room.stats);
    assert.ok(stats.predictedInputs > 0 && stats.comparedPredictions > 0, JSON.stringify(stats));
    assert.equal(stats.viewMismatches + stats.protocolErrors, 0);
    for (const { page, problems } of players) {
      assert.match(await page.textContent("#board"), /Ada[^]*Ben|Ben[^]*Ada/);
      assert.deepEqual(problems, []);
    }
  });
}

movesByAKey("tag", "runner", [], testInBoth);
movesByAKey("push", "body", ["--npcs", "0"]);
movesByAKey("hill", "body");

test("the page of hill pushes with a key", MINUTE, async (t) => {
  const { players } = await twoPlayers(t, "hill");
  const [ada, ben] = players.map(({ page }) => page);
  await ada.waitForFunction(() => window.room.isPredicting && window.room.frame().body.length === 2);
  // Ada runs to Ben along the upper edge, and pushes when they are near.
  const key = await ada.evaluate(() => (window.room.frame().body.find((body) => body !== window.room.me).x > window.room.me.x ? "ArrowRight" : "ArrowLeft"));
  const start = await ben.evaluate(() => window.room.me.x);
  await ada.bringToFront();
  await ada.keyboard.down(key);
  await ada.waitForFunction(() => {
    const [a, b] = window.room.frame().body;
    return Math.abs(a.x - b.x) < 50;
  });
  await ada.keyboard.press("Space");
  await ada.keyboard.up(key);
  await ben.waitForFunction((start) => Math.abs(window.room.me.x - start) > 40, start);
  for (const { problems } of players) assert.deepEqual(problems, []);
});

test("the page of cursors shares cursors, a counter, a feed and alerts", MINUTE, async (t) => {
  const { server, players } = await twoPlayers(t, "cursors", ["--tick-rate", "20"]);
  const [ada, ben] = players.map(({ page }) => page);
  await ada.mouse.move(640, 400);
  await ben.waitForFunction(() => {
    const cursor = document.querySelector("main div");
    if (cursor?.textContent !== "Ada") return false;
    const { x, y } = cursor.getBoundingClientRect();
    return Math.abs(x - 640) < 3 && Math.abs(y - 400) < 3;
  });
  await ada.click("button");
  await ben.click("button");
  await ben.fill("input", "hello");
  await ben.press("input", "Enter");
  for (const page of [ada, ben]) {
    await page.waitForFunction(() => document.querySelector("button").textContent === "2");
    await page.waitForFunction(() => document.querySelector("#feed").textContent.startsWith("Ben says: hello\n"));
  }
  const answer = await fetch(`${server.ops}/notice`, { method: "POST", body: JSON.stringify({ text: "Back in five minutes" }) });
  assert.equal(answer.ok, true);
  for (const page of [ada, ben]) await page.waitForFunction(() => document.querySelector("#alert").textContent === "Back in five minutes");
  for (const { problems } of players) assert.deepEqual(problems, []);
});
