// The SDK with examples/tag: one test for each promise to its pages.

import assert from "node:assert/strict";
import { launchBrowser, openPage, startSite, startTag, test, testInBoth } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };

/** A page with any number of players. Each collects its events, and the rows of its latest frame. */
const SCRIPT = `
  import { join, loadCore } from "./index.js";

  const { Instance } = WebAssembly;
  WebAssembly.Instance = class extends Instance {
    constructor(...given) {
      super(...given);
      window.memory ??= this.exports.memory;
    }
  };
  window.join = join;
  window.play = async (url, name, options) => {
    const room = await join({ url, room: "meadow", name, ...options });
    const player = { room, joined: [], events: [], messages: [], rows: [], scores: [] };
    room.onJoined((event) => player.joined.push(event));
    room.on("touched", ({ who }, { tick }) => player.events.push({ who, tick, shown: room.frame().tick }));
    room.onMessage("youAreIt", (fields) => player.messages.push(fields));
    const draw = () => {
      const frame = room.frame();
      player.rows = frame.runner.map((row) => ({ ...row }));
      player.scores = frame.score.map((row) => ({ ...row }));
      requestAnimationFrame(draw);
    };
    draw();
    return player;
  };
  window.messageOf = async (call) => {
    try {
      await call();
    } catch (error) {
      return error.name + ": " + error.message;
    }
    return "no error";
  };
  window.isReady = true;
`;

/** A page beside a server of tag, with a player for each name. They join one after the other, as the first one becomes "it". */
async function playing(t, names, args = []) {
  const site = await startSite(t, SCRIPT);
  const server = await startTag(t, { args: ["--allowed-origin", site, ...args] });
  const context = await launchBrowser(t);
  const opened = await openPage(context, site);
  await opened.page.waitForFunction(() => window.isReady);
  for (const name of names) {
    await opened.page.evaluate(async ({ url, name }) => (window[name] = await window.play(url, name)), { url: server.socket, name });
    await opened.page.waitForFunction((name) => window[name].scores.some((row) => row.name === name), name);
  }
  return { ...opened, server, site, context };
}

testInBoth("a page plays a game with all its features", { ...MINUTE, differs: true }, async (t) => {
  const { page, problems } = await playing(t, ["Ann", "Bob"]);
  await page.waitForFunction(() => window.Bob.room.isPredicting && window.Bob.rows.length === 2);
  const bob = await page.evaluate(() => {
    const { room, rows, scores } = window.Bob;
    const byX = [...rows].sort((a, b) => a.x - b.x);
    return { rows: byX, scores, me: { ...room.me }, found: room.find(room.me.id) === room.me, game: room.game, name: room.name, player: room.player };
  });
  assert.deepEqual([bob.game, bob.name, bob.player.name, bob.player.isSpectator], ["tag", "meadow", "Bob", false]);
  const [ann, own] = bob.rows;
  // undefined is not in what a page hands over: another player's breath.
  assert.deepEqual(ann, { id: ann.id, isOwn: false, x: 128, y: 1024, it: true, breath: undefined });
  assert.deepEqual(own, { id: own.id, isOwn: true, x: 256, y: 1024, it: false, breath: 0 });
  assert.deepEqual([bob.me, bob.found], [own, true]);
  assert.deepEqual(bob.scores.map(({ name, touches }) => ({ name, touches })).sort((a, b) => a.name.localeCompare(b.name)), [
    { name: "Ann", touches: 0 },
    { name: "Bob", touches: 0 },
  ]);

  // Ann runs to the right until she touches Bob.
  await page.evaluate(() => (window.Ann.room.input = { dx: 1, touch: true }));
  await page.waitForFunction(() => window.Bob.messages.length > 0 && window.Ann.events.length > 0 && window.Bob.events.length > 0);
  await page.waitForFunction((bob) => window.Ann.rows.some(({ id, it, x }) => id === bob && it && x === 256), own.id);
  await page.waitForFunction(() => window.Bob.scores.some(({ name, touches }) => name === "Ann" && touches === 1));
  const happened = await page.evaluate(() => ({ ann: window.Ann.messages, bob: window.Bob.messages, events: [window.Ann.events, window.Bob.events], who: window.Bob.room.player.number }));
  assert.deepEqual([happened.ann, happened.bob], [[], [{}]]);
  for (const [{ who, tick, shown }] of happened.events) {
    assert.equal(who, happened.who);
    assert.ok(tick > 0 && shown >= tick && shown < tick + 30, `an event of ${tick} told at ${shown}`);
  }
  assert.equal(await page.evaluate(() => window.Ann.room.stats.viewMismatches + window.Bob.room.stats.protocolErrors), 0);
  assert.deepEqual(problems, []);
});

test("mistakes throw where they are made", MINUTE, async (t) => {
  const { page, server, problems } = await playing(t, ["Ann"]);
  const mistakes = await page.evaluate(async (url) => {
    const { room } = window.Ann;
    const all = [
      () => (room.input = { dx: 2 }),
      () => (room.input = { dy: 1, jump: true }),
      () => room.press({ dash: 1 }),
      () => room.on("tuched", () => {}),
      () => room.on("touched"),
      () => room.onMessage("youAreOut", () => {}),
      () => room.command("team", { team: 1 }),
      () => room.inputBytes(new Uint8Array(65)),
      () => room.send(new Uint8Array(4001)),
      () => room.send("hello"),
      () => {
        for (let count = 0; count <= 64; count++) room.pressBytes(Uint8Array.of(0, 0, 0));
      },
      () => window.join({ url: "not a url ::" }),
      () => window.join({ url: "ftp://127.0.0.1/ws" }),
      () => window.join({ url: "game.example/ws" }),
      () => window.join({ url, name: 5 }),
      () => window.join({ url, room: "no such name!" }),
      () => window.join({ url: "ws://127.0.0.1:9/ws", timeoutMs: 500 }),
      () => window.join({ game: "chess", shape: { input: {}, kinds: {}, events: {}, commands: {}, messages: {} } }, { url }),
      () => window.join({ game: "tag", shape: { input: {}, kinds: { runner: { x: "boolean" } }, events: {}, commands: {}, messages: {} } }, { url }),
    ];
    const found = [];
    for (const call of all) found.push(await window.messageOf(call));
    return found;
  }, server.socket);
  const sentences = [
    /^RangeError: dx is 2; possible are -1 to 1$/,
    /^TypeError: the input has no "jump"; it has dx, dy, dash, touch$/,
    /^TypeError: dash is 1; it must be true or false$/,
    /^TypeError: this game has no event "tuched"; it has touched$/,
    /^TypeError: a listener must be a function$/,
    /^TypeError: this game has no message "youAreOut"; it has youAreIt$/,
    /^TypeError: this game has no command "team"; it has none$/,
    /^RangeError: an input has at most 64 bytes, not 65$/,
    /^RangeError: a command has at most 4000 bytes, not 4001$/,
    /^TypeError: a command is "hello"; it must be a Uint8Array$/,
    /^RangeError: too many inputs are waiting$/,
    /^TypeError: "not a url ::" is no address like/,
    /^TypeError: "ftp:.*no address like/,
    /^TypeError: "game.example\/ws" is no address like/,
    /^TypeError: name is 5; it must be a string$/,
    /^Error: .*room/,
    /^Error: ws:\/\/127\.0\.0\.1:9\/ws lets nobody in: the server cannot be reached/,
    /^Error: this page is for the game chess, and the room plays tag$/,
    /^Error: this page takes runner\.x for boolean, and in the room's game it is number/,
  ];
  sentences.forEach((sentence, at) => assert.match(mistakes[at], sentence));
  // The browser itself complains of the addresses where nobody answers.
  assert.deepEqual(problems.filter((problem) => !/WebSocket connection/.test(problem)), []);
});

test("an entity keeps its object, and a frame its arrays", MINUTE, async (t) => {
  const { page } = await playing(t, ["Ann", "Bob"]);
  await page.waitForFunction(() => window.Ann.rows.length === 2);
  const same = await page.evaluate(async () => {
    const { room } = window.Ann;
    const frame = room.frame();
    const { runner } = frame;
    const rows = new Set(runner);
    room.input = { dx: 1 };
    const { x } = room.me;
    for (let count = 0; count < 30; count++) await new Promise(requestAnimationFrame);
    room.frame();
    return [room.frame() === frame, room.frame().runner === runner, runner.length === 2 && runner.every((row) => rows.has(row)), room.me.x > x];
  });
  assert.deepEqual(same, [true, true, true, true]);
});

test("a press is one step, over what is held", MINUTE, async (t) => {
  const { page, problems } = await playing(t, ["Ann"]);
  await page.waitForFunction(() => window.Ann.room.isPredicting);
  const moved = await page.evaluate(async () => {
    const { room } = window.Ann;
    const start = room.me.x;
    const breath = [];
    room.input = { dx: 1 };
    room.press({ dash: true });
    while (breath.length < 40) {
      await new Promise(requestAnimationFrame);
      room.frame();
      breath.push(room.me.breath);
    }
    return { way: room.me.x - start, first: Math.max(...breath), isDescending: breath.slice(breath.indexOf(Math.max(...breath))).every((one, at, all) => at === 0 || one <= all[at - 1]) };
  });
  assert.ok(moved.first >= 85 && moved.first <= 90 && moved.isDescending, JSON.stringify(moved));
  assert.ok(moved.way > 36, JSON.stringify(moved));
  assert.deepEqual(problems, []);
});

test("a press arrives, however busy the page is", MINUTE, async (t) => {
  const { page } = await playing(t, ["Ann"]);
  for (const busyMs of [50, 100, 200, 500]) {
    const scored = await page.evaluate(async (busyMs) => {
      const { room } = window.Ann;
      const frame = () => new Promise(requestAnimationFrame);
      while (room.me.breath > 0) await frame();
      room.press({ dash: true });
      const until = performance.now() + busyMs;
      while (performance.now() < until);
      // What the server says: the private lane as confirmed, long after the press.
      const { tick } = room.stats;
      while (room.stats.tick < tick + 30 + busyMs / 16) await frame();
      return room.me.breath;
    }, busyMs);
    assert.ok(scored > 0, `after ${busyMs} ms nothing has dashed`);
  }
});

test("a listener that throws does not stop the others", MINUTE, async (t) => {
  const { page, problems } = await playing(t, ["Ann"]);
  await page.evaluate(() => {
    window.Ann.room.onChat(() => {
      throw new Error("a mistake of the app");
    });
    window.Ann.room.onChat(({ text }) => (window.heard = text));
    window.Ann.room.chat("hello");
  });
  await page.waitForFunction(() => window.heard === "hello");
  assert.equal(problems.length, 1);
  assert.match(problems[0], /a mistake of the app/);
});

test("a worker plays without a document", MINUTE, async (t) => {
  const { page, site, server } = await playing(t, []);
  const answer = await page.evaluate(
    async ({ site, url }) => {
      const script = `
        import { join } from "${site}/index.js";
        const room = await join({ url: "${url}", room: "meadow", name: "Ada" });
        room.input = { dx: 1 };
        const start = room.frame().runner.length;
        const step = () => {
          room.frame();
          if (room.me && room.me.x > 200) postMessage({ name: room.player.name, x: room.me.x });
          else setTimeout(step, 16);
        };
        step();
      `;
      const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
      const worker = new Worker(address, { type: "module" });
      return new Promise((done, fail) => {
        worker.onmessage = ({ data }) => done(data);
        worker.onerror = ({ message }) => fail(new Error(message));
      });
    },
    { site, url: server.socket },
  );
  assert.equal(answer.name, "Ada");
});

test("a frame and a row that are kept stay true when the core's memory grows", MINUTE, async (t) => {
  const { page, problems } = await playing(t, ["Ann"]);
  const { grown, before, after, isSame } = await page.evaluate(async () => {
    const { room } = window.Ann;
    const { memory } = window;
    const frame = room.frame();
    const row = room.me;
    const before = { ...row };
    const bytes = memory.buffer.byteLength;
    room.ticket = "x".repeat(16 * 2 ** 20);
    const [grown, after] = [memory.buffer.byteLength > bytes, { ...frame.runner[0] }];
    room.ticket = "";
    room.frame();
    return { grown, before, after, isSame: room.frame() === frame && room.me === row && frame.runner[0] === row };
  });
  assert.deepEqual([grown, isSame], [true, true]);
  assert.deepEqual(after, before);
  assert.deepEqual(problems, []);
});
