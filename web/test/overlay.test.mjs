// The debug overlay: what it shows of a game that it does not know, the line that it emulates, and that it leaves nothing behind.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { launchBrowser, openPage, startExample, startPush, startSite, startTag, test, testInBoth } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };
/** The name of its element. */
const ELEMENT = "tickwire-debug";

const SCRIPT = `
  import { join } from "./index.js";
  import { debugOverlay } from "./debug.js";
  window.join = join;
  window.debugOverlay = debugOverlay;
`;

/** A page of its own origin, beside a server. Nothing draws frames but a timer. `names`: of players; the first one gets the overlay. */
async function playing(t, startGame, names, options) {
  const site = await startSite(t, SCRIPT);
  const server = await startGame(t, { args: ["--allowed-origin", site] });
  const { page, problems } = await openPage(await launchBrowser(t), site);
  await page.waitForFunction(() => window.debugOverlay);
  await page.evaluate(
    async ({ url, names, options }) => {
      const rooms = [];
      for (const name of names) rooms.push((window[name] = await window.join({ url, room: "meadow", name, resume: false })));
      setInterval(() => rooms.forEach((room) => room.frame()), 16);
      window.overlay = window.debugOverlay(rooms[0], options);
    },
    { url: server.socket, names, options },
  );
  await page.waitForFunction((names) => names.every((name) => window[name].me && window[name].isPredicting), names);
  return { page, problems };
}

const tagWithOverlay = async (t, options) => {
  const opened = await playing(t, startTag, ["Ann", "Bob"], options);
  await opened.page.waitForFunction(() => window.Ann.frame().runner.length === 2);
  return opened;
};

const pushWithOverlay = (t) => playing(t, startPush, ["Ada"], { open: true });

const tab = (page, name) => page.locator(`${ELEMENT} .tabs button`, { hasText: name });
const pane = (page) => page.locator(`${ELEMENT} .pane:not([hidden])`);

async function slide(page, name, ms) {
  await page.locator(`${ELEMENT} input[name="${name}"]`).fill(String(ms));
}

test("no page has the overlay's code but who imports it", MINUTE, async () => {
  const dist = (file) => readFileSync(new URL(`../dist/${file}`, import.meta.url), "utf8");
  assert.ok(dist("debug.js").includes(ELEMENT));
  assert.ok(!dist("index.js").includes(ELEMENT));
  assert.ok(!/\bimport\b/.test(dist("debug.js")), "it stands alone");
  assert.match(dist("debug.d.ts"), /export declare function debugOverlay</);
  assert.equal(JSON.parse(dist("package.json")).exports["./debug"].default, "./debug.js");
});

test("a key opens and hides the overlay, and the page sees none of it", MINUTE, async (t) => {
  const { page, problems } = await tagWithOverlay(t, { key: "F9" });
  const isVisible = () => page.locator(`${ELEMENT} .panel`).isVisible();
  assert.equal(await isVisible(), false);
  await page.evaluate(() => {
    window.keys = [];
    addEventListener("keydown", ({ code }) => window.keys.push(code));
    window.asked = 0;
    const request = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (draw) => (window.asked++, request(draw));
  });
  await page.keyboard.press("F8");
  await page.keyboard.press("F9");
  assert.equal(await isVisible(), true);
  await page.waitForFunction(() => window.asked > 3, undefined, { polling: 50 });
  await page.locator(`${ELEMENT} button`, { hasText: "hide" }).click();
  assert.equal(await isVisible(), false);
  assert.deepEqual(await page.evaluate(() => window.keys), ["F8"]);
  // Hidden, it asks for no frame.
  const asked = await page.evaluate(() => window.asked);
  const tick = await page.evaluate(() => window.Ann.stats.tick);
  await page.waitForFunction((tick) => window.Ann.stats.tick > tick + 10, tick, { polling: 50 });
  assert.equal(await page.evaluate(() => window.asked), asked);
  assert.deepEqual(problems, []);
});

test("rows, cells and events of any game are shown", MINUTE, async (t) => {
  const { page, problems } = await tagWithOverlay(t, { open: true });
  // The table is filled a few times a second.
  const runners = pane(page).locator("tr", { hasText: /^runner2/ });
  await runners.waitFor();
  assert.match(await runners.textContent(), /^runner2x \(units\), y \(units\), it, breath \(private, ticks\)$/);
  await runners.click();
  const own = pane(page).locator("tr.own");
  // The own row has its private field, the other one has not.
  await page.waitForFunction(() => window.Ann.me.it);
  await own.filter({ hasText: "yes0" }).waitFor();
  await pane(page).locator("table:last-child tr:not(.own)", { hasText: "no–" }).waitFor();

  await tab(page, "area").click();
  await pane(page).getByText(/^holds [1-9]\d* of 16 cells and the global one · a cell is 512 wide/).waitFor();

  await tab(page, "events").click();
  await page.evaluate(() => (window.Ann.input = { dx: 1, touch: true }));
  await pane(page).locator("tr", { hasText: "touched" }).first().waitFor();
  const who = await page.evaluate(() => window.Bob.player.number);
  assert.match(await pane(page).locator("tr", { hasText: "touched" }).last().textContent(), new RegExp(`^\\d+touchedwho ${who}$`));
  assert.deepEqual(problems, []);
});

test("a slower line is below everything that a page sees", MINUTE, async (t) => {
  const { page, problems } = await pushWithOverlay(t);
  await slide(page, "+ latency", 100);
  await page.waitForFunction(() => window.Ada.stats.rttMs >= 200);
  const shown = page.locator(`${ELEMENT} output[data-of="round trip"]`);
  await page.waitForFunction(
    ([element]) => Number.parseInt(document.querySelector(element).shadowRoot.querySelector('output[data-of="round trip"]').textContent) >= 200,
    [ELEMENT],
  );
  assert.match(await shown.textContent(), /^\d+ ms$/);
  // It plays on, and predicts. Messages keep their order, however long each of them takes.
  await slide(page, "+ jitter", 100);
  const tick = await page.evaluate(() => window.Ada.stats.tick);
  await page.waitForFunction((tick) => window.Ada.stats.tick > tick + 60, tick);
  for (const name of ["+ latency", "+ jitter"]) await slide(page, name, 0);
  await page.waitForFunction(() => window.Ada.stats.rttMs < 150);
  const stats = await page.evaluate(() => window.Ada.stats);
  assert.deepEqual([stats.phase, stats.viewMismatches, stats.protocolErrors], ["playing", 0, 0]);
  assert.deepEqual(problems, []);
});

testInBoth("any browser opens the overlay and slows the line down", { ...MINUTE, differs: true }, async (t) => {
  const { page, problems } = await tagWithOverlay(t, undefined);
  await page.keyboard.press("F8");
  await page.waitForFunction((name) => document.querySelector(name).shadowRoot.querySelector(".panel").checkVisibility(), ELEMENT);
  await page.evaluate((name) => {
    const slider = document.querySelector(name).shadowRoot.querySelector('input[name="+ latency"]');
    slider.value = "100";
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }, ELEMENT);
  await page.waitForFunction((name) => {
    const shown = document.querySelector(name).shadowRoot.querySelector('output[data-of="round trip"]');
    return window.Ann.stats.rttMs >= 200 && Number.parseInt(shown.textContent) >= 200;
  }, ELEMENT);
  assert.deepEqual(problems, []);
});

test("a stall's corrections are listed, lane by lane", MINUTE, async (t) => {
  const { page, problems } = await pushWithOverlay(t);
  await tab(page, "corrections").click();
  await page.locator(`${ELEMENT} button`, { hasText: /^1 s$/ }).click();
  // The server does not hear of it before the stall is over.
  await page.evaluate(() => (window.Ada.input = { dx: window.Ada.me.x < 512 ? 1 : -1 }));
  const correction = pane(page).locator("tr.correction", { hasText: /^ticks? \d+.* · body \d+ · \S/ });
  await correction.first().waitFor();
  const lane = pane(page).locator("tr.lane", { hasText: /^(x|vx)/ });
  const [name, predicted, confirmed, apart] = await lane.last().locator("td").allTextContents();
  assert.ok(Math.abs(Number(confirmed) - Number(predicted)) > 0, `${name}: ${predicted}, ${confirmed}, ${apart}`);
  assert.match(apart, /^[+−]\d[\d.]* units$/);
  await pane(page).locator("tr", { hasText: /^input: dx (1|-1) · dy 0 · shove no$/ }).first().waitFor();
  assert.deepEqual(problems, []);
});

test("a closed overlay leaves nothing behind", MINUTE, async (t) => {
  const { page, problems } = await tagWithOverlay(t, undefined);
  const inspector = await page.context().newCDPSession(page);
  const listeners = async () => {
    const counts = {};
    for (const target of ["window", "document", "document.body"]) {
      const { result } = await inspector.send("Runtime.evaluate", { expression: target });
      const { listeners } = await inspector.send("DOMDebugger.getEventListeners", { objectId: result.objectId });
      counts[target] = listeners.map(({ type }) => type).sort();
    }
    return counts;
  };
  const state = () =>
    page.evaluate(() => {
      const { sockets } = window.Ann.inside.session;
      return { own: Object.keys(sockets), listens: sockets.listener === window.listener, elements: document.querySelectorAll("tickwire-debug").length };
    });
  await page.evaluate(() => {
    window.overlay.close();
    // Counts what the overlay adds to the room.
    window.added = 0;
    for (const name of ["on", "onMessage", "onJoined"]) {
      const add = window.Ann[name].bind(window.Ann);
      window.Ann[name] = (...given) => {
        const remove = add(...given);
        window.added++;
        return () => (window.added--, remove());
      };
    }
    window.listener = window.Ann.inside.session.sockets.listener;
  });
  const [before, was] = [await listeners(), await state()];
  assert.deepEqual(was, { own: ["listener"], listens: true, elements: 0 });
  await page.evaluate(() => {
    // Of two the second replaces the first.
    window.debugOverlay(window.Ann, { open: true });
    window.overlay = window.debugOverlay(window.Ann, { open: true });
  });
  await slide(page, "+ latency", 50);
  assert.notDeepEqual(await listeners(), before);
  assert.equal(await page.evaluate(() => window.added), 3);
  assert.deepEqual((await state()).own.sort(), ["close", "listener", "open", "send"]);
  await page.evaluate(() => window.overlay.close());
  await page.waitForFunction(() => window.Ann.inside.session.sockets.listener === window.listener);
  assert.deepEqual([await listeners(), await state()], [before, was]);
  assert.equal(await page.evaluate(() => window.added), 0);
  await page.keyboard.press("F8");
  assert.equal((await state()).elements, 0);
  const tick = await page.evaluate(() => window.Ann.stats.tick);
  await page.waitForFunction((tick) => window.Ann.stats.tick > tick + 10, tick);
  assert.deepEqual(problems, []);
});

test("the page of push brings the overlay with ?debug", MINUTE, async (t) => {
  const server = await startExample(t, "push", ["--npcs", "0"]);
  const { page, problems } = await openPage(await launchBrowser(t), `${server.page}?room=meadow&name=Ada&debug`);
  await pane(page).locator("tr", { hasText: /^body1x \(units\), y \(units\), vx \(units\), vy \(units\), breath \(private, ticks\)$/ }).waitFor();
  await page.keyboard.press("F8");
  assert.equal(await page.locator(`${ELEMENT} .panel`).isVisible(), false);
  assert.deepEqual(problems, []);
});
