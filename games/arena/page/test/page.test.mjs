// The page at `/`: one test for each promise to its players.

import assert from "node:assert/strict";
import {
  automation,
  fileWith,
  fingersOn,
  freePort,
  joinUrl,
  launchBrowser,
  openPage,
  playing,
  roomState,
  signedTicket,
  startBots,
  startServer,
  startTag,
  test,
  testInBoth,
  until,
} from "../../../../web/test/harness.mjs";

const MINUTE = { timeout: 60_000 };
/** Headings of a ship, in 1/1024 turn. */
const [RIGHTWARDS, UPWARDS] = [0, 768];

for (const [scheme, args] of [
  ["http", []],
  ["https", ["--tls-self-signed"]],
]) {
  test(`a newcomer plays among bots over ${scheme} without errors`, MINUTE, async (t) => {
    const server = await startServer(t, { args });
    assert.ok(server.page.startsWith(`${scheme}:`), server.page);
    startBots(t, server, { bots: 5, room: "lobby" });
    const context = await launchBrowser(t);
    const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room: "lobby" }));
    await playing(page);

    // At least the player and five bots, and two seconds of ticks that really arrive.
    await page.waitForFunction(() => window.tickwire.entities >= 6);
    const before = await automation(page);
    await page.waitForFunction((tick) => window.tickwire.tick >= tick + 120, before.tick);

    const after = await automation(page);
    assert.equal(after.state, "playing");
    assert.equal(after.viewMismatches, 0);
    assert.ok(after.bytesIn > before.bytesIn);
    assert.notEqual(after.playerId, 0);
    assert.deepEqual(problems, []);
  });
}

testInBoth("the player's own ship moves while W is pressed", { ...MINUTE, differs: true }, async (t) => {
  const server = await startServer(t, { args: ["--npcs", "0"] });
  const context = await launchBrowser(t);
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room: "alone" }));
  await playing(page);

  // The ship must be at rest first, so that only the key can move it.
  await page.waitForFunction(() => window.tickwire.own);
  const start = await automation(page);
  await page.waitForFunction((tick) => window.tickwire.tick >= tick + 30, start.tick);
  const rested = await automation(page);
  assert.deepEqual(rested.own, start.own, "an unsteered ship must not move");

  await page.keyboard.down("w");
  await page.waitForFunction(({ x, y }) => Math.hypot(window.tickwire.own.x - x, window.tickwire.own.y - y) > 2, start.own);
  await page.keyboard.up("w");
  assert.equal((await automation(page)).viewMismatches, 0);
  assert.deepEqual(problems, []);
});

/** Waits for `count` more ticks. */
async function ticks(page, count) {
  const { tick } = await automation(page);
  await page.waitForFunction((tick) => window.tickwire.tick >= tick, tick + count);
}

/** Ticks, more than the cool-down between two shots. */
const COOLED = 40;

test("a press shorter than a frame shoots exactly once", MINUTE, async (t) => {
  const server = await startServer(t, { args: ["--npcs", "0"] });
  const { page, problems } = await openPage(await launchBrowser(t), joinUrl(server, { name: "Ann", room: "alone" }));
  await playing(page);
  await page.waitForFunction(() => window.tickwire.own);
  const presses = {
    mouse: () => {
      const at = { bubbles: true, pointerType: "mouse", clientX: 700, clientY: 300 };
      const canvas = document.getElementById("arena");
      canvas.dispatchEvent(new PointerEvent("pointerdown", { ...at, buttons: 1 }));
      canvas.dispatchEvent(new PointerEvent("pointerup", at));
    },
    touch: () => {
      const at = { bubbles: true, pointerType: "touch", pointerId: 7, clientX: 1000, clientY: 300 };
      const canvas = document.getElementById("arena");
      canvas.dispatchEvent(new PointerEvent("pointerdown", { ...at, buttons: 1 }));
      canvas.dispatchEvent(new PointerEvent("pointerup", at));
    },
    key: () => {
      dispatchEvent(new KeyboardEvent("keydown", { code: "Space" }));
      dispatchEvent(new KeyboardEvent("keyup", { code: "Space" }));
    },
  };
  for (const [count, press] of Object.values(presses).entries()) {
    await page.evaluate(press);
    await page.waitForFunction((count) => window.tickwire.shots > count, count);
    await ticks(page, COOLED);
    assert.equal((await automation(page)).shots, count + 1);
  }
  assert.deepEqual(problems, []);
});

test("with two mouse buttons only the left one shoots", MINUTE, async (t) => {
  const server = await startServer(t, { args: ["--npcs", "0"] });
  const { page, problems } = await openPage(await launchBrowser(t), joinUrl(server, { name: "Ann", room: "alone" }));
  await playing(page);
  await page.waitForFunction(() => window.tickwire.own);
  await page.mouse.move(700, 300);
  const shoots = async () => {
    const { shots } = await automation(page);
    await ticks(page, COOLED);
    return (await automation(page)).shots > shots;
  };
  const [left, right] = [{ button: "left" }, { button: "right" }];
  // With the right button down first, the left button causes only move events.
  await page.mouse.down(right);
  assert.ok(!(await shoots()));
  await page.mouse.down(left);
  assert.ok(await shoots());
  await page.mouse.up(left);
  await ticks(page, 10);
  assert.ok(!(await shoots()));
  await page.mouse.up(right);
  // With the left button down first, its release is only a move event.
  await page.mouse.down(left);
  await page.mouse.down(right);
  assert.ok(await shoots());
  await page.mouse.up(left);
  await ticks(page, 10);
  assert.ok(!(await shoots()));
  await page.mouse.up(right);
  assert.deepEqual(problems, []);
});

test("a focused button takes only the keys that press it", MINUTE, async (t) => {
  const server = await startServer(t, { args: ["--npcs", "0"] });
  const { page, problems } = await openPage(await launchBrowser(t), joinUrl(server, { name: "Ann", room: "alone" }));
  await playing(page);
  await page.waitForFunction(() => window.tickwire.own);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "readout");

  const { own: start } = await automation(page);
  await page.keyboard.down("d");
  await page.waitForFunction((x) => window.tickwire.own.x > x + 2, start.x);
  await page.keyboard.up("d");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#netgraph", { state: "visible" });
  assert.ok(!(await page.isVisible("#chat-form")));
  assert.equal((await automation(page)).shots, 0);
  assert.deepEqual(problems, []);
});

test("two thumbs on a phone fly and shoot at once", MINUTE, async (t) => {
  const server = await startServer(t, { args: ["--npcs", "0"] });
  const context = await launchBrowser(t, { viewport: { width: 844, height: 390 }, hasTouch: true, isMobile: true });
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room: "alone" }));
  await playing(page);
  await page.waitForFunction(() => window.tickwire.own);
  const { own: start } = await automation(page);
  const touch = await fingersOn(page);

  // The left thumb pulls to the right, the right one upwards.
  await touch("touchStart", { 1: [150, 250] });
  await touch("touchMove", { 1: [200, 250] });
  await page.waitForFunction((x) => window.tickwire.own.x > x + 2, start.x);
  await touch("touchStart", { 1: [200, 250], 2: [700, 250] });
  await touch("touchMove", { 1: [200, 250], 2: [700, 200] });
  await page.waitForFunction(() => window.tickwire.shots >= 2);
  const ship = async () => (await roomState(server, "alone")).entities.find(({ kind }) => kind === "ship").lanes;
  await until(t, async () => (await ship()).heading === UPWARDS);

  // With the left thumb alone the ship points where it flies.
  await touch("touchEnd", {});
  await touch("touchStart", { 1: [150, 250] });
  await touch("touchMove", { 1: [200, 250] });
  await until(t, async () => (await ship()).heading === RIGHTWARDS);

  // The system cancels the touches: nothing is held any more.
  await touch("touchStart", { 1: [200, 250], 2: [700, 250] });
  await touch("touchCancel", {});
  await page.waitForFunction(() => {
    // Without thrust the ship drifts some 2 units in 30 ticks; with thrust it would fly 200.
    const { own, tick } = window.tickwire;
    window.drift ??= { ...own, tick };
    if (Math.abs(own.x - window.drift.x) >= 10) window.drift = { ...own, tick };
    return tick >= window.drift.tick + 30;
  });
  const { shots, tick } = await automation(page);
  await page.waitForFunction((tick) => window.tickwire.tick >= tick + 60, tick);
  assert.equal((await automation(page)).shots, shots);
  assert.equal((await automation(page)).viewMismatches, 0);
  assert.deepEqual(problems, []);
});

test("a phone has a button for the chat", MINUTE, async (t) => {
  const server = await startServer(t, { args: ["--npcs", "0"] });
  const context = await launchBrowser(t, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room: "talk" }));
  await playing(page);
  await page.tap("#tap-chat");
  await page.keyboard.type("hello");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("chat-lines").textContent.includes("Ann hello"));
  assert.equal((await automation(page)).shots, 0);
  assert.deepEqual(problems, []);
});

test("a page reconnects when its server returns", MINUTE, async (t) => {
  const listen = `127.0.0.1:${await freePort()}`;
  const first = await startServer(t, { listen });
  const context = await launchBrowser(t);
  const { page } = await openPage(context, joinUrl(first, { name: "Ann", room: "lobby" }));
  await playing(page);

  process.kill(first.pid, "SIGKILL");
  await page.waitForFunction(() => window.tickwire.state === "reconnecting");

  await startServer(t, { listen });
  await playing(page);
});

test("the same session plays on after the server has stalled", MINUTE, async (t) => {
  const server = await startServer(t);
  const context = await launchBrowser(t);
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room: "lobby" }));
  await playing(page);
  const { playerId } = await automation(page);

  process.kill(server.pid, "SIGSTOP");
  await page.waitForFunction(() => window.tickwire.state === "reconnecting");
  const shown = await page.textContent("#overlay");
  // Long enough that a second connection waits too: the order in which the server answers them must not matter.
  await page.waitForFunction((start) => performance.now() > start + 2000, await page.evaluate(() => performance.now()));
  process.kill(server.pid, "SIGCONT");

  await playing(page);
  const { tick } = await automation(page);
  await page.waitForFunction((tick) => window.tickwire.tick >= tick + 60 && window.tickwire.state === "playing", tick);
  assert.match(shown, /Reconnecting/);
  assert.equal((await automation(page)).playerId, playerId);
  assert.equal((await automation(page)).viewMismatches, 0);
  assert.deepEqual(problems, []);
});

test("a player enters a full room when somebody leaves", MINUTE, async (t) => {
  const server = await startServer(t, { args: ["--max-players", "1"] });
  const context = await launchBrowser(t);
  const ann = await openPage(context, joinUrl(server, { name: "Ann", room: "small" }));
  await playing(ann.page);
  const bob = await openPage(context, joinUrl(server, { name: "Bob", room: "small" }));
  await bob.page.waitForFunction(() => /full.*Trying again/.test(document.getElementById("overlay").innerText));
  assert.ok(await bob.page.isVisible("#overlay-again"), "the player must be able to choose another room");

  await ann.page.close();
  // A closed tab may be a reload, so the server keeps its player for ten seconds.
  await bob.page.waitForFunction(() => window.tickwire.state === "playing", null, { timeout: 45_000 });
  await playing(bob.page);
  await bob.page.waitForFunction(() => document.getElementById("overlay").hidden);
});

test("after an invalid room name the player can choose again", MINUTE, async (t) => {
  const server = await startServer(t);
  const { page } = await openPage(await launchBrowser(t), joinUrl(server, { name: "Ann", room: "no room!" }));
  await page.waitForFunction(() => /room's name/.test(document.getElementById("overlay").innerText));
  await page.click("#overlay-again");

  await page.fill("#join-room", "lobby");
  assert.equal(await page.inputValue("#join-name"), "Ann");
  await page.click("#join button");
  await playing(page);
});

test("a ticket behind the # admits; without one the page says why", MINUTE, async (t) => {
  const secret = "a secret of this test, thirty-two bytes or more";
  const server = await startServer(t, { args: ["--ticket-secret-file", fileWith(t, secret)] });
  const context = await launchBrowser(t);
  const url = joinUrl(server, { name: "Ann", room: "lobby" });
  const stranger = await openPage(context, url);
  await stranger.page.waitForFunction(() => /ticket/i.test(document.getElementById("overlay").innerText));

  // The player can return to the form, and a new ticket in the address is used at once.
  await stranger.page.goto(`${server.page}?name=Ann&room=lobby#ticket=none-of-yours`);
  await stranger.page.click("#join button");
  await stranger.page.waitForFunction(() => /not valid/.test(document.getElementById("overlay").innerText));
  await stranger.page.click("#overlay-again");
  await stranger.page.waitForSelector("#join", { state: "visible" });

  const expires = Math.floor(Date.now() / 1000) + 3600;
  const ticket = signedTicket(secret, { sub: "ann", name: "Ann of the login", room: "lobby", exp: expires });
  const { page, problems } = await openPage(context, `${url}#ticket=${ticket}`);
  await playing(page);
  const { players } = await roomState(server, "lobby");
  assert.ok(JSON.stringify(players).includes("Ann of the login"), JSON.stringify(players));
  await stranger.page.goto(`${server.page}?name=Ann&room=lobby#ticket=${ticket}`);
  await stranger.page.click("#join button");
  await playing(stranger.page);
  assert.deepEqual(problems, []);
});

test("a reload after the form joins the same room again", MINUTE, async (t) => {
  const server = await startServer(t);
  const { page, problems } = await openPage(await launchBrowser(t), `${server.page}?theirs=kept&spectate=1#mark=kept`);
  await page.fill("#join-name", "Ann");
  await page.fill("#join-room", "den");
  await page.uncheck("#join-spectate");
  await page.click("#join button");
  await playing(page);
  const url = new URL(page.url());
  assert.deepEqual(Object.fromEntries(url.searchParams), { theirs: "kept", name: "Ann", room: "den", autojoin: "1" });
  assert.equal(url.hash, "#mark=kept");

  await page.reload();
  await playing(page);
  assert.ok(!(await page.isVisible("#join")));
  assert.match(JSON.stringify((await roomState(server, "den")).players), /Ann/);
  assert.deepEqual(problems, []);
});

test("a spectator on a phone has no sticks and a hint instead", MINUTE, async (t) => {
  const server = await startServer(t);
  const context = await launchBrowser(t, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const { page, problems } = await openPage(context, `${joinUrl(server, { name: "Ann", room: "lobby" })}&spectate=1`);
  await playing(page);
  await page.waitForSelector("#help");
  assert.match(await page.innerText("#help"), /watch whoever leads/);
  assert.ok(!/thumb/.test(await page.innerText("#help")));
  assert.ok(!(await page.isVisible("#stick-fly")) && !(await page.isVisible("#stick-shoot")));
  assert.deepEqual(problems, []);
});

test("the page says when the game cannot be loaded", MINUTE, async (t) => {
  const server = await startServer(t);
  const context = await launchBrowser(t);
  await context.route("**/*.wasm", (request) => request.abort());
  const { page } = await openPage(context, joinUrl(server, { name: "Ann", room: "lobby" }));
  await page.waitForFunction(() => /could not be loaded/.test(document.getElementById("overlay").innerText));
  assert.ok(await page.isVisible("#overlay-again"));
  assert.equal((await automation(page)).state, "closed");
});

test("a page without its script says so", MINUTE, async (t) => {
  const server = await startServer(t);
  const context = await launchBrowser(t);
  await context.route("**/app.js", (request) => request.abort());
  await context.route("**/style.css", (request) => request.abort());
  const { page } = await openPage(context, server.page);
  await page.waitForSelector("#loading", { state: "visible" });
  assert.match(await page.innerText("#loading"), /could not be loaded/);

  await context.unrouteAll();
  await page.reload();
  await page.waitForSelector("#join", { state: "visible" });
  assert.equal(await page.locator("#loading").count(), 0);
});

test("the page plays without browser storage", MINUTE, async (t) => {
  const server = await startServer(t);
  const context = await launchBrowser(t);
  await context.addInitScript(() => {
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(window, name, {
        get: () => {
          throw new DOMException("denied", "SecurityError");
        },
      });
    }
  });
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room: "lobby" }));
  await playing(page);
  assert.deepEqual(problems, []);
});

test("a key and a tap on the read-out toggle the net graph", MINUTE, async (t) => {
  const server = await startServer(t);
  const { page, problems } = await openPage(await launchBrowser(t), joinUrl(server, { name: "Ann", room: "lobby" }));
  await playing(page);
  await page.waitForSelector("#readout");
  assert.ok(!(await page.isVisible("#netgraph")));
  await page.keyboard.press("n");
  await page.waitForSelector("#netgraph", { state: "visible" });
  await page.click("#readout");
  await page.waitForSelector("#netgraph", { state: "hidden" });
  await page.keyboard.press("n");
  await page.waitForSelector("#netgraph", { state: "visible" });
  assert.deepEqual(problems, []);
});

for (const [width, height] of [
  [390, 844],
  [320, 568],
  [640, 360],
]) {
  test(`the net graph covers neither chat nor ship at ${width} by ${height}`, MINUTE, async (t) => {
    const server = await startServer(t);
    const context = await launchBrowser(t, { viewport: { width, height }, hasTouch: true, isMobile: true });
    const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room: "lobby" }));
    await playing(page);
    await page.tap("#readout");
    const graph = await page.locator("#netgraph").boundingBox();
    assert.ok(graph.x >= 0 && graph.y >= 0 && graph.x + graph.width <= width && graph.y + graph.height <= height, JSON.stringify(graph));
    assert.ok(graph.y + graph.height < height / 2, JSON.stringify(graph));
    await page.tap("#tap-chat");
    for (const id of ["#chat-input", "#tap-chat", "#tap-sound"]) {
      const box = await page.locator(id).boundingBox();
      const isFree = box.x >= graph.x + graph.width || box.x + box.width <= graph.x || box.y >= graph.y + graph.height || box.y + box.height <= graph.y;
      assert.ok(isFree && box.y >= 0 && box.y + box.height <= height, `${id} at ${JSON.stringify(box)}, the graph at ${JSON.stringify(graph)}`);
    }
    assert.deepEqual(problems, []);
  });
}

test("the form works in a window that is smaller than it", MINUTE, async (t) => {
  const server = await startServer(t);
  const context = await launchBrowser(t, { viewport: { width: 240, height: 180 } });
  const { page, problems } = await openPage(context, server.page);
  await page.locator("#join button").scrollIntoViewIfNeeded();
  const { y, height } = await page.locator("#join button").boundingBox();
  assert.ok(y >= 0 && y + height <= 180, `${y}, ${height}`);
  await page.click("#join button");
  await playing(page);
  assert.deepEqual(problems, []);
});

test("chat arrives as text, and typing does not steer", MINUTE, async (t) => {
  const server = await startServer(t, { args: ["--npcs", "0"] });
  const context = await launchBrowser(t);
  const ann = await openPage(context, joinUrl(server, { name: "Ann", room: "talk" }));
  const bob = await openPage(context, `${joinUrl(server, { name: "Bob", room: "talk" })}&spectate=1`);
  await playing(ann.page);
  await playing(bob.page);
  await ann.page.waitForFunction(() => window.tickwire.own);
  const before = await automation(ann.page);

  await ann.page.keyboard.press("Enter");
  await ann.page.keyboard.type("wasd <b>wins</b>");
  await ann.page.keyboard.press("Enter");
  await bob.page.waitForFunction(() => document.getElementById("chat-lines").textContent.includes("Ann wasd <b>wins</b>"));
  await ann.page.keyboard.press("Enter");
  await ann.page.keyboard.type("not sent");
  await ann.page.keyboard.press("Escape");
  await ann.page.waitForFunction(() => document.getElementById("chat-form").hidden);

  assert.deepEqual((await automation(ann.page)).own, before.own);

  // Losing the focus keeps the line as a draft; Escape discards it.
  const line = () => ann.page.inputValue("#chat-input");
  await ann.page.keyboard.press("Enter");
  assert.equal(await line(), "");
  await ann.page.keyboard.type("a draft");
  await ann.page.mouse.click(640, 200);
  await ann.page.waitForSelector("#chat-form", { state: "hidden" });
  await ann.page.keyboard.press("Enter");
  assert.equal(await line(), "a draft");
  await ann.page.keyboard.press("Escape");
  await ann.page.keyboard.press("Enter");
  assert.equal(await line(), "");
  assert.deepEqual([...ann.problems, ...bob.problems], []);
});

test("the arena's page leaves a server of another game", MINUTE, async (t) => {
  const server = await startTag(t, { args: ["--page", "games/arena/page/dist"] });
  const context = await launchBrowser(t);
  let loads = 0;
  await context.route("**/app.js", (request) => {
    loads++;
    return request.continue();
  });
  const { page, problems } = await openPage(context, joinUrl(server, { name: "Ann", room: "meadow" }));
  await page.waitForFunction(() => document.getElementById("overlay").innerText.includes("This server plays «tag»; this page is for the arena."));
  // The page has left the room and still shows the message.
  await until(t, async () => !(await roomState(server, "meadow"))?.entities.length);
  const frames = await page.evaluate(() => window.tickwire.frames);
  await page.waitForFunction((frames) => window.tickwire.frames > frames + 10, frames);
  assert.match(await page.innerText("#overlay"), /«tag»/);
  assert.ok(!(await page.isVisible("#overlay-again")) && !(await page.isVisible("#join")));
  assert.equal(loads, 1);
  assert.deepEqual(problems, []);
});
