// Typed games in the browser, over a path of 100 ms each way: own motion is predicted by the room's module, also among neighbours.

import assert from "node:assert/strict";
import { launchBrowser, openPage, startLongPath, startPush, startSite, startTag, test, testInBoth } from "./harness.mjs";

const MINUTES = { timeout: 120_000 };
const DELAY_MS = Number(process.env.TICKWIRE_TYPED_DELAY_MS ?? 100);
/** For how long is measured, in ticks. */
const TICKS = 60 * Number(process.env.TICKWIRE_TYPED_SECONDS ?? 10);

/** How often a player of push who can shove does so, when the input may change: nobody can foresee that of another. */
const SHOVES = Number(process.env.TICKWIRE_TYPED_SHOVES ?? 0);

/** A page with any number of players, each with the latest rows of a kind and all of its own positions. */
const SCRIPT = `
  import { join } from "./index.js";

  window.play = async (url, kind) => {
    const room = await join({ url, room: "meadow", resume: false });
    const player = { room, own: undefined, rows: [], path: [] };
    const draw = () => {
      player.rows = room.frame()[kind];
      const { me } = room;
      if (me) {
        player.own = { x: me.x, y: me.y, breath: me.breath };
        player.path.push({ at: performance.now(), x: me.x, y: me.y });
      }
      requestAnimationFrame(draw);
    };
    draw();
    // Inputs change as often as people's do.
    const decide = () => {
      if (player.own && player.think) room.input = player.think(player);
      setTimeout(decide, 100 + 200 * Math.random());
    };
    decide();
    return player;
  };
  window.players = [];
  window.isReady = true;
`;

/** A page with players in a room, over a path with a delay. */
async function playing(t, server, { site, kind, count }) {
  const url = await startLongPath(t, server, DELAY_MS);
  const opened = await openPage(await launchBrowser(t), site);
  await opened.page.waitForFunction(() => window.isReady);
  for (let number = 0; number < count; number++) {
    await opened.page.evaluate(async ([url, kind]) => void window.players.push(await window.play(url, kind)), [url, kind]);
  }
  await opened.page.waitForFunction((count) => window.players.every(({ room, rows }) => room.isPredicting && rows.length === count), count);
  // Until the clocks have settled, inputs come late.
  await compared(opened.page, 180);
  return { ...opened, server };
}

/** Inputs that the server applied, that came late, and that it repeated because none had come. */
async function inputOutcomes({ ops }) {
  const text = await (await fetch(`${ops}/metrics`)).text();
  return Object.fromEntries([...text.matchAll(/^tickwire_inputs_total\{outcome="(applied|late|repeated)"\} (\d+)$/gm)].map(([, outcome, count]) => [outcome, Number(count)]));
}

/** Waits until each player has played for so many more ticks. */
async function compared(page, ticks) {
  const from = await page.evaluate(() => window.players.map(({ room }) => room.stats.tick));
  await page.waitForFunction(([from, ticks]) => window.players.every(({ room }, at) => room.stats.tick > from[at] + ticks), [from, ticks], {
    timeout: 100_000,
  });
}

/** What was measured of each player since `earlier`. */
async function measured(page, bound, earlier) {
  const now = await page.evaluate((bound) => window.players.map(({ room }) => ({ ...room.stats, ...room.predictionErrors(bound) })), bound);
  if (!earlier) return now;
  return now.map((one, at) => ({
    compared: one.comparedPredictions - earlier[at].comparedPredictions,
    corrections: one.corrections - earlier[at].corrections,
    inputs: one.inputs.count - earlier[at].inputs.count,
    beyond: one.inputs.beyond - earlier[at].inputs.beyond,
    replaysBeyond: one.replays.beyond - earlier[at].replays.beyond,
    problems: one.viewMismatches + one.protocolErrors,
  }));
}

testInBoth("tag is predicted over a long path", MINUTES, async (t) => {
  const site = await startSite(t, SCRIPT);
  const { page, problems } = await playing(t, await startTag(t, { args: ["--allowed-origin", site] }), { site, kind: "runner", count: 2 });
  const before = await measured(page, 0);
  const answer = await page.evaluate(async () => {
    const [player] = window.players;
    player.path.length = 0;
    const at = performance.now();
    player.room.input = { dx: 1 };
    await new Promise((done) => setTimeout(done, 500));
    player.room.input = { dx: -1 };
    const [first] = player.path;
    return player.path.find(({ x }) => x > first.x).at - at;
  });
  // Now they run and dash at random.
  await page.evaluate(() => {
    const sign = () => Math.floor(3 * Math.random()) - 1;
    for (const player of window.players) player.think = () => ({ dx: sign(), dy: sign(), dash: Math.random() < 0.5 });
  });
  await compared(page, TICKS);
  const players = await measured(page, 0, before);
  t.diagnostic(`${answer.toFixed(1)} ms from input to motion; ${JSON.stringify(players)}`);
  assert.ok(answer < 100, `${answer} ms`);
  for (const { compared, corrections, problems } of players) {
    assert.equal(problems, 0);
    // An input that comes late on a busy machine costs a correction.
    assert.ok(compared > TICKS / 2 && corrections <= compared / 100, `${corrections} of ${compared} corrected`);
  }
  assert.deepEqual(problems, []);
});

test("four who push each other are predicted within a quarter of a body", MINUTES, async (t) => {
  const site = await startSite(t, SCRIPT);
  const { page, problems, server } = await playing(t, await startPush(t, { args: ["--allowed-origin", site] }), { site, kind: "body", count: 4 });
  // All of them want to stand in the middle.
  await page.evaluate((shoves) => {
    const sign = (away) => (Math.abs(away) < 8 ? 0 : Math.sign(away));
    for (const player of window.players) {
      player.think = ({ own: { x, y, breath } }) => ({ dx: sign(512 - x), dy: sign(512 - y), shove: breath === 0 && Math.random() < shoves });
    }
  }, SHOVES);
  await page.waitForFunction(() => window.players.every(({ own }) => Math.hypot(own.x - 512, own.y - 512) < 80));
  const before = await measured(page, 160);
  const outcomesBefore = await inputOutcomes(server);
  await page.evaluate(() => window.players.forEach(({ path }) => (path.length = 0)));
  await compared(page, TICKS);
  const players = await measured(page, 160, before);
  t.diagnostic(`inputs ${JSON.stringify(outcomesBefore)} before, ${JSON.stringify(await inputOutcomes(server))} after`);
  const distribution = await page.evaluate(() =>
    [0, 16, 32, 64, 96, 128, 160, 240, 320].map((bound) => {
      const all = window.players.map(({ room }) => room.predictionErrors(bound).inputs);
      const sum = (of) => all.reduce((total, errors) => total + errors[of], 0);
      return `${bound}: ${((1000 * sum("beyond")) / sum("count")).toFixed(1)}`;
    }),
  );
  /** How far the own body moved on the screen in 16 ms, at most, in units. */
  const steps = await page.evaluate(() =>
    window.players.map(({ path }) => {
      const step = (at) => Math.hypot(path[at].x - path[at - 1].x, path[at].y - path[at - 1].y) / Math.max(1, (path[at].at - path[at - 1].at) / 16.7);
      return Math.max(...path.slice(1).map((_, at) => step(at + 1))).toFixed(1);
    }),
  );
  t.diagnostic(`${JSON.stringify(players)}; inputs of 1,000 beyond so many lane units: ${distribution.join(", ")}; largest steps on the screen: ${steps} units`);
  for (const { compared, corrections, problems } of players) {
    assert.equal(problems, 0);
    assert.ok(corrections <= compared / 100, `${corrections} of ${compared} corrected`);
  }
  const [beyond, inputs] = ["beyond", "inputs"].map((of) => players.reduce((sum, player) => sum + player[of], 0));
  const share = (1000 * beyond) / inputs;
  t.diagnostic(`${share.toFixed(1)} of 1,000 inputs beyond a quarter of a body`);
  // 1 to 2 on a calm machine. Inputs that come late on a busy one are errors too.
  assert.ok(SHOVES > 0 || share <= 20, `${share} of 1,000`);
  assert.deepEqual(problems, []);
});
