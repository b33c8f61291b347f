// A player stays a player: reloaded, duplicated, closed and returning pages of examples/tag.

import assert from "node:assert/strict";
import { launchBrowser, openPage, roomState, startSite, startTag, test, testInBoth, until } from "./harness.mjs";

const MINUTE = { timeout: 90_000 };

/** A page that joins by itself. `#name=` names the player. */
const SCRIPT = `
  import { join } from "./index.js";

  const query = new URLSearchParams(location.hash.slice(1));
  window.phases = [];
  const room = (window.room = await join({ url: query.get("url"), room: "meadow", name: query.get("name") ?? "Ann" }));
  room.onPhase(({ phase }) => window.phases.push(phase));
  const draw = () => {
    window.frame = room.frame();
    requestAnimationFrame(draw);
  };
  draw();
`;

/** With this, a session that nobody has ended stays for longer than any test waits. */
const SESSIONS_STAY = ["--resume-window", "1h"];

async function site(t, flags = []) {
  const origin = await startSite(t, SCRIPT);
  const server = await startTag(t, { args: ["--allowed-origin", origin, ...flags] });
  const context = await launchBrowser(t);
  const address = (name = "Ann") => `${origin}/#${new URLSearchParams({ url: server.socket, name })}`;
  return { server, context, address };
}

const joined = (page) => page.waitForFunction(() => window.room?.me !== undefined);
const player = (page) => page.evaluate(() => ({ number: window.room.player.number, x: window.room.me.x, id: window.room.me.id }));
const runners = async (server) => (await roomState(server, "meadow"))?.entities.filter(({ kind }) => kind === "runner").length ?? 0;

testInBoth("a reloaded page is the same player", { ...MINUTE, differs: true }, async (t) => {
  const { server, context, address } = await site(t);
  const { page, problems } = await openPage(context, address());
  await joined(page);
  await page.evaluate(() => (window.room.input = { dx: 1 }));
  await page.waitForFunction(() => window.room.me.x > 300);
  const before = await player(page);
  for (let count = 0; count < 3; count++) {
    await page.reload();
    await joined(page);
    const after = await player(page);
    assert.deepEqual([after.number, after.id], [before.number, before.id]);
    // The last inputs before a reload may not have left the page; a new player would start at 128.
    assert.ok(after.x > before.x - 50);
  }
  // Inputs go on where the page before has stopped.
  const { x } = await player(page);
  await page.evaluate(() => (window.room.input = { dx: 1 }));
  await page.waitForFunction((x) => window.room.me.x > x + 50, x);
  assert.equal(await runners(server), 1);
  assert.deepEqual(problems, []);
});

testInBoth("a duplicated tab and another name are other players", { ...MINUTE, differs: true }, async (t) => {
  const { server, context, address } = await site(t);
  const { page } = await openPage(context, address());
  await joined(page);
  const ann = await player(page);
  // window.open copies the session storage, as duplicating a tab does.
  const [twin] = await Promise.all([context.waitForEvent("page"), page.evaluate(() => void window.open(location.href))]);
  await joined(twin);
  assert.notEqual((await player(twin)).number, ann.number);
  assert.equal((await player(page)).number, ann.number);
  const { page: other } = await openPage(context, address("Bob"));
  await joined(other);
  await until(t, async () => (await runners(server)) === 3);
  assert.deepEqual(await page.evaluate(() => window.phases), []);
});

testInBoth("a page that left joins anew", MINUTE, async (t) => {
  const { server, context, address } = await site(t, SESSIONS_STAY);
  const { page } = await openPage(context, address());
  await joined(page);
  const before = await player(page);
  await page.evaluate(() => window.room.leave());
  await until(t, async () => (await runners(server)) === 0);
  await page.reload();
  await joined(page);
  assert.notEqual((await player(page)).number, before.number);
});

testInBoth("leaving is final, whatever the page does next", MINUTE, async (t) => {
  const { server, context, address } = await site(t, SESSIONS_STAY);
  const { page } = await openPage(context, address());
  await joined(page);
  await page.evaluate(() => {
    window.room.leave();
    for (const name of ["online", "focus", "visibilitychange"]) window.dispatchEvent(new Event(name));
    window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    document.dispatchEvent(new Event("resume"));
    window.room.input = { dx: 1 };
    window.room.chat("still here");
    window.room.frame();
  });
  await until(t, async () => (await runners(server)) === 0);
  assert.deepEqual(await page.evaluate(() => [window.room.phase, ...window.phases]), ["closed", "closed"]);
});

testInBoth("the player of a closed tab is gone after ten seconds", { ...MINUTE, differs: true }, async (t) => {
  const { server, context, address } = await site(t, SESSIONS_STAY);
  const { page } = await openPage(context, address());
  await joined(page);
  // Somebody who stays: the world of a room in which nobody is connected stands still.
  const other = await openPage(context, address("Ben"));
  await joined(other.page);
  const closedAt = Date.now();
  await page.close({ runBeforeUnload: true });
  await until(t, async () => (await runners(server)) === 1);
  const seconds = (Date.now() - closedAt) / 1000;
  t.diagnostic(`gone after ${seconds.toFixed(1)} s`);
  // Not at once, as it may have been a reload; the resume window would keep it for an hour.
  assert.ok(seconds > 5, `${seconds} s`);
});

testInBoth("a page from the back-forward cache is the same player", { ...MINUTE, differs: true }, async (t) => {
  const { server, context, address } = await site(t);
  const { page } = await openPage(context, address());
  await joined(page);
  const before = await player(page);
  // What the browser does with a page that it keeps, and with one that it shows again.
  await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  await page.waitForFunction(() => window.room.phase === "reconnecting");
  await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await page.waitForFunction(() => window.room.phase === "playing" && window.room.me !== undefined);
  assert.equal((await player(page)).number, before.number);
  assert.equal(await runners(server), 1);
});

// In Chromium only: no other browser freezes a page for a test.
test("a frozen page plays on when it is resumed", MINUTE, async (t) => {
  const { context, address } = await site(t);
  const { page } = await openPage(context, address());
  await joined(page);
  const devtools = await context.newCDPSession(page);
  const { tick } = await page.evaluate(() => window.room.stats);
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  await devtools.send("Page.setWebLifecycleState", { state: "active" });
  await page.waitForFunction((tick) => window.room.phase === "playing" && window.room.stats.tick > tick + 30, tick);
  const { x } = await player(page);
  await page.evaluate(() => (window.room.input = { dx: 1 }));
  await page.waitForFunction((x) => window.room.me.x > x + 50, x);
});

// In Chromium only: it holds back messages of the page's socket.
test("leaving while joining reaches the server", MINUTE, async (t) => {
  const { server, context, address } = await site(t);
  let hellos = 0;
  await context.routeWebSocket(/\/ws/, (page) => {
    const far = page.connectToServer();
    page.onMessage((message) => {
      hellos++;
      far.send(message);
    });
    // Welcome is late, so that the page gives up before it comes.
    far.onMessage((message) => setTimeout(() => page.send(message), 2_000));
  });
  const { page } = await openPage(context, "about:blank");
  await page.goto(address());
  await page.evaluate(async () => {
    const { join } = await import("./index.js");
    const giveUp = new AbortController();
    const joining = join({ url: new URLSearchParams(location.hash.slice(1)).get("url"), room: "pond", name: "Eve", signal: giveUp.signal });
    setTimeout(() => giveUp.abort(new Error("no patience")), 500);
    window.said = await joining.catch((error) => error.message);
  });
  assert.equal(await page.evaluate(() => window.said), "no patience");
  assert.ok(hellos >= 2);
  await until(t, async () => !(await roomState(server, "pond"))?.entities.length);
});
