// The SDK with a game of its own (examples/tag): one test for each promise to its pages.

import assert from "node:assert/strict";
import { joinUrl, launchBrowser, openPage, roomState, startSite, startTag, test, until, wish } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };

/** A page with any number of players. Each collects its events, and the rows of its latest frame. */
const SCRIPT = `
  import { TickwireClient } from "./index.js";

  window.play = async (url, name) => {
    const client = await TickwireClient.connect({ url, room: "meadow", name });
    const player = { client, joined: [], events: [], messages: [], rows: [], scores: [] };
    client.on("joined", (event) => player.joined.push(event));
    client.on("event", ({ kind, tick, payload }) => player.events.push({ kind, tick, payload: [...payload] }));
    client.on("message", ({ payload }) => player.messages.push([...payload]));
    const draw = () => {
      const [rows, scores] = [[], []];
      const frame = client.sample();
      frame.forEachRow("runner", (row) => {
        const { id, slot, generation, x, y } = row;
        rows.push({ id, slot, generation, x, y, lanes: [0, 1, 2].map((lane) => row.lane(lane)), it: row.lane("it") });
      });
      frame.forEachRow("score", (row) => scores.push({ slot: row.slot, name: row.text("name"), first: row.text(0), touches: row.lane("touches") }));
      [player.rows, player.scores] = [rows, scores];
      requestAnimationFrame(draw);
    };
    draw();
    return player;
  };
  window.isReady = true;
`;

test("a custom page plays another game with all its features", MINUTE, async (t) => {
  const site = await startSite(t, SCRIPT);
  const server = await startTag(t, { args: ["--allowed-origin", site] });
  const { page, problems } = await openPage(await launchBrowser(t), site);
  await page.waitForFunction(() => window.isReady);
  // Joined one after the other, as the first one becomes "it".
  for (const name of ["Ann", "Bob"]) {
    await page.evaluate(async ({ url, name }) => (window[name] = await window.play(url, name)), { url: server.socket, name });
    await page.waitForFunction((name) => window[name].scores.some((row) => row.name === name), name);
  }

  const session = await page.evaluate(async () => {
    const { client, joined } = window.Bob;
    await new Promise((done) => (client.isPredicting ? done() : client.on("prediction", done)));
    return { game: client.game, schema: client.schema, map: new TextDecoder().decode(client.map()), isPredicting: client.isPredicting, joined };
  });
  assert.deepEqual(session, {
    game: "tag",
    schema: {
      kinds: [
        { name: "runner", number: 0, lanes: ["x", "y", "it"], privateLanes: ["breath"], texts: [], isPlaced: true },
        { name: "score", number: 1, lanes: ["player", "touches"], privateLanes: [], texts: ["name"], isPlaced: false },
      ],
      events: ["touched"],
    },
    map: "",
    isPredicting: true,
    joined: [{ resumed: false }],
  });
  await page.waitForFunction(() => window.Bob.rows.length === 2);
  const { rows, scores, playerId } = await page.evaluate(() => ({ rows: window.Bob.rows, scores: window.Bob.scores, playerId: window.Bob.client.playerId }));
  rows.sort((a, b) => a.x - b.x);
  const ann = rows[0].slot;
  const row = (slot, x, it) => ({ id: slot, slot, generation: 1, x: x * 16, y: 1024 * 16, lanes: [x * 16, 1024 * 16, it], it });
  assert.deepEqual(rows, [row(ann, 128, 1), row(playerId, 256, 0)]);
  const score = (slot, name) => ({ slot, name, first: name, touches: 0 });
  assert.deepEqual(scores.sort((a, b) => a.slot - b.slot), [score(ann, "Ann"), score(playerId, "Bob")]);

  // Ann runs to the right until she touches Bob.
  await page.evaluate((wish) => window.Ann.client.input(Uint8Array.from(wish)), wish({ dx: 1, touch: 1 }));
  await page.waitForFunction(() => window.Bob.messages.length > 0 && window.Ann.events.length > 0 && window.Bob.events.length > 0);
  await page.waitForFunction((bob) => window.Ann.rows.some(({ slot, it, x }) => slot === bob && it === 1 && x === 256 * 16), playerId);
  await page.waitForFunction((ann) => window.Bob.scores.some(({ slot, touches }) => slot === ann && touches === 1), ann);
  const { annMessages, bobMessages, annEvents, bobEvents } = await page.evaluate(() => ({
    annMessages: window.Ann.messages,
    bobMessages: window.Bob.messages,
    annEvents: window.Ann.events,
    bobEvents: window.Bob.events,
  }));
  assert.deepEqual([annMessages, bobMessages], [[], [[0]]]);
  assert.deepEqual(annEvents, bobEvents);
  assert.deepEqual(annEvents, [{ kind: "touched", tick: annEvents[0].tick, payload: [playerId << 2] }]);
  assert.ok(annEvents[0].tick > 0);

  // Mistakes throw where they are made.
  const mistakes = await page.evaluate(() => {
    const { client } = window.Ann;
    const messageOf = (call) => {
      try {
        call();
      } catch (error) {
        return error.message;
      }
      return "no error";
    };
    return [
      messageOf(() => client.sample().forEachRow("ship", () => {})),
      messageOf(() => client.sample().forEachRow("runner", (row) => row.lane("speed"))),
      messageOf(() => client.input(new Uint8Array(65))),
      messageOf(() => {
        for (let count = 0; count <= 64; count++) client.inputOnce(Uint8Array.of(0, 0, 0));
      }),
    ];
  });
  assert.match(mistakes[0], /no kind ship; it has runner/);
  assert.match(mistakes[1], /no speed among its lanes: x, y, it/);
  assert.match(mistakes[2], /at most 64 bytes/);
  assert.match(mistakes[3], /too many inputs/);
  assert.equal(await page.evaluate(() => window.Ann.client.status().viewMismatches + window.Bob.client.status().protocolErrors), 0);
  assert.deepEqual(problems, []);
});

test("an input of one tick moves one step", MINUTE, async (t) => {
  const site = await startSite(t, SCRIPT);
  const server = await startTag(t, { args: ["--allowed-origin", site] });
  const { page, problems } = await openPage(await launchBrowser(t), site);
  await page.waitForFunction(() => window.isReady);
  await page.evaluate(async (url) => (window.Ann = await window.play(url, "Ann")), server.socket);
  await page.waitForFunction(() => window.Ann.rows.length === 1);
  const start = await page.evaluate((wish) => {
    window.Ann.client.inputOnce(Uint8Array.from(wish));
    return window.Ann.rows[0].x;
  }, wish({ dx: 1 }));
  await page.waitForFunction((x) => window.Ann.rows[0].x > x, start);
  const tick = await page.evaluate(() => window.Ann.client.status().tick);
  await page.waitForFunction((tick) => window.Ann.client.status().tick >= tick + 60, tick);
  // Without newer inputs the server repeats the latest one for up to 15 ticks.
  const steps = (await page.evaluate(() => window.Ann.rows[0].x) - start) / 48;
  assert.ok(Number.isInteger(steps) && steps <= 16, `${steps} steps`);
  assert.deepEqual(problems, []);
});

test("any value works as a text, but a bad address is refused", MINUTE, async (t) => {
  const site = await startSite(t, SCRIPT.replace("window.isReady", "window.TickwireClient = TickwireClient; window.isReady"));
  const server = await startTag(t, { args: ["--allowed-origin", site] });
  const { page, problems } = await openPage(await launchBrowser(t), site);
  await page.waitForFunction(() => window.isReady);
  const named = (name) => page.evaluate(async ({ url, name }) => {
    const client = await window.TickwireClient.connect({ url, room: "meadow", name, ticket: null });
    await new Promise((joined) => client.on("joined", joined));
    return client.name;
  }, { url: server.socket.replace("ws:", "http:"), name });
  assert.equal(await named(5), "5");
  assert.match(await named(null), /^Player /);

  const refused = (url) => page.evaluate(async (url) => {
    try {
      await window.TickwireClient.connect({ url });
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
    return "accepted";
  }, url);
  for (const url of ["not a url ::", "", "ftp://127.0.0.1/ws", "game.example/ws"]) assert.match(await refused(url), /^TypeError: .*no address/, url);
  assert.deepEqual(problems, []);
});

test("a listener that throws does not stop the others", MINUTE, async (t) => {
  const site = await startSite(t, SCRIPT);
  const server = await startTag(t, { args: ["--allowed-origin", site] });
  const { page, problems } = await openPage(await launchBrowser(t), site);
  await page.waitForFunction(() => window.isReady);
  await page.evaluate(async (url) => {
    window.Ann = await window.play(url, "Ann");
    window.Ann.client.on("joined", () => {
      throw new Error("a mistake of the app");
    });
    window.Ann.client.on("joined", () => (window.isSecondCalled = true));
  }, server.socket);
  await page.waitForFunction(() => window.isSecondCalled);
  assert.equal(problems.length, 1);
  assert.match(problems[0], /a mistake of the app/);
});
