// When effects are shown, and how often: without a server and without a browser.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { load } from "./modules.mjs";

const { EffectQueue } = await load("effects.ts");

const OWN_PLAYER = 3;
const COOLED_DOWN = 0;
const JUST_FIRED = 20;

/** A ship of a player, heading to +x. */
const ship = (slot, player = slot, x = 0) => ({ slot, generation: 1, x, y: 0, heading: 0, health: 100, player });

const OWN_SHIP = ship(1, OWN_PLAYER);

/** What the screen shows at a tick, after an input of this number. */
function world(tick, { cooldown = COOLED_DOWN, input = 100, isPredicted = true, others = [] } = {}) {
  const own = { ship: OWN_SHIP, isPredicted, cooldown };
  return { tick, newestInput: input, own, ships: [OWN_SHIP, ...others] };
}

const shipId = (slot) => ({ slot, generation: 1 });

/** Reports a beam over 100 units from the origin. */
const report = (tick, { shooter, input = 0, hit }) =>
  queue.beam(tick, {
    shooter: shipId(shooter),
    input,
    from: { x: 0, y: 0 },
    to: { x: 100, y: 0 },
    hit: hit === undefined ? undefined : shipId(hit),
  });
const kinds = (effects) => effects.map(({ kind }) => kind);
const shown = (...arguments_) => kinds(queue.take(world(...arguments_)));

let queue;
beforeEach(() => {
  queue = new EffectQueue();
  queue.ownPlayer = OWN_PLAYER;
  assert.deepEqual(shown(80), []);
});

test("the own beam is drawn once, and its hit when confirmed", () => {
  assert.deepEqual(shown(90, { cooldown: JUST_FIRED, input: 107 }), ["beam"]);
  // The cool-down runs, an input a tick.
  assert.deepEqual(shown(91, { cooldown: JUST_FIRED - 2, input: 109 }), []);
  report(100, { shooter: OWN_SHIP.slot, input: 107, hit: 2 });
  assert.deepEqual(shown(92, { cooldown: JUST_FIRED - 3, input: 110 }), ["hit"]);
});

test("each shot of a burst is drawn once", () => {
  let drawn = 0;
  for (let input = 100; input < 200; input++) {
    const sinceShot = input % 20;
    drawn += queue.take(world(input - 10, { cooldown: JUST_FIRED - sinceShot, input })).length;
    if (sinceShot === 13) report(input - 4, { shooter: OWN_SHIP.slot, input: input - 13 });
  }
  assert.equal(drawn, 5);
});

test("a shot seen some ticks late is still the one reported", () => {
  // The frame came five ticks after the shot, and two inputs were not made.
  assert.deepEqual(shown(95, { cooldown: JUST_FIRED - 5, input: 110 }), ["beam"]);
  report(100, { shooter: OWN_SHIP.slot, input: 107 });
  assert.deepEqual(shown(96, { cooldown: JUST_FIRED - 6, input: 111 }), []);
});

test("a shot that was not foreseen is drawn when reported", () => {
  report(101, { shooter: OWN_SHIP.slot, input: 108 });
  // Then the correction shows in the cool-down, which must not draw it again.
  assert.deepEqual(shown(92, { cooldown: JUST_FIRED - 7, input: 115 }), ["beam"]);
});

test("an unpredicted ship's beam is drawn when reported", () => {
  assert.deepEqual(shown(90, { cooldown: JUST_FIRED, input: 107, isPredicted: false }), []);
  report(100, { shooter: OWN_SHIP.slot, input: 101 });
  assert.deepEqual(shown(91, { cooldown: JUST_FIRED - 1, input: 108, isPredicted: false }), ["beam"]);
});

test("prediction that begins while the beam cools draws no shot", () => {
  shown(90, { cooldown: 5, isPredicted: false });
  assert.deepEqual(shown(91, { cooldown: 12 }), []);
  assert.deepEqual(shown(92, { cooldown: 11 }), []);
});

test("effects of others wait for the tick on the screen", () => {
  report(100, { shooter: 2, hit: OWN_SHIP.slot });
  assert.deepEqual(shown(99.9), []);
  const [effect, ...more] = queue.take(world(100, { others: [ship(2, 7)] }));
  assert.deepEqual(more, []);
  assert.deepEqual([effect.kind, effect.player, effect.isOwn, effect.endsAtShip, effect.endsAtOwn], ["beam", 7, false, true, true]);
});

test("what the screen has long passed is dropped", () => {
  report(100, { shooter: 2 });
  assert.deepEqual(shown(140), []);
  assert.deepEqual(shown(141), []);
});

test("a ship bursts where it was drawn last, the own one at once", () => {
  queue.take(world(90, { others: [ship(2, 7, 50)] }));
  queue.kill(100, { killer: OWN_PLAYER, victim: 7 });
  assert.deepEqual(shown(99), []);
  const [burst] = queue.take(world(100));
  assert.deepEqual([burst.kind, burst.at, burst.player, burst.isOwn], ["burst", { x: 50, y: 0 }, 7, false]);
  queue.kill(200, { killer: 7, victim: OWN_PLAYER });
  assert.deepEqual(shown(100), ["burst"]);
});

test("the own beam ends at the first rock or ship on the screen", () => {
  queue.rocks = [
    { x: 400, y: 10, radius: 50 },
    { x: -100, y: 0, radius: 50 },
  ];
  const fire = (input, others) => {
    shown(90, { input });
    return queue.take(world(90, { cooldown: JUST_FIRED, input: input + 1, others }))[0];
  };
  const atRock = fire(100, []);
  assert.equal(Math.round(atRock.to.x), 351);
  assert.equal(atRock.endsAtShip, false);
  const atShip = fire(200, [ship(2, 7, 300), ship(3, 8, 200)]);
  assert.equal(atShip.to.x, 184);
  assert.equal(atShip.endsAtShip, true);
});

