// Whom a spectator follows: without a server and without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./modules.mjs";

const { Spectator } = await load("spectator.ts");

/** Ships at x, one for each player, with the players' scores and deaths. */
function world(players) {
  const ships = players.filter(({ x }) => x !== undefined).map(({ slot, generation = 1, x }) => ({ slot, generation, player: slot, x, y: 0 }));
  ships.find = Array.prototype.find;
  return { ships, players: new Map(players.map(({ slot, score = 0, deaths = 0 }) => [slot, { slot, score, deaths }])) };
}

test("a spectator changes only to a player who clearly leads", () => {
  const spectator = new Spectator();
  const at = (players) => spectator.focus(world(players), 0)?.x;
  assert.equal(at([]), undefined);
  assert.equal(at([{ slot: 1, x: 10, score: 5 }, { slot: 2, x: 20 }]), 10);
  assert.equal(at([{ slot: 1, x: 11, score: 5 }, { slot: 2, x: 20, score: 14 }]), 11);
  assert.equal(at([{ slot: 1, x: 12, score: 5 }, { slot: 2, x: 21, score: 15 }]), 21);
});

test("after a death the spectator waits for the player's next ship", () => {
  const spectator = new Spectator();
  const at = (now, players) => spectator.focus(world(players), now)?.x;
  const other = { slot: 2, x: 20 };
  assert.equal(at(0, [{ slot: 1, x: 10, score: 5 }, other]), 10);
  assert.equal(at(2000, [{ slot: 1, score: 5, deaths: 1 }, other]), 10);
  assert.equal(at(2500, [{ slot: 1, generation: 2, x: 90, score: 5, deaths: 1 }, other]), 90);
  // The next one does not come.
  assert.equal(at(3000, [{ slot: 1, score: 5, deaths: 2 }, other]), 90);
  assert.equal(at(6000, [{ slot: 1, score: 5, deaths: 2 }, other]), 20);
});

test("a ship that left the view is no longer followed", () => {
  const spectator = new Spectator();
  assert.equal(spectator.focus(world([{ slot: 1, x: 10, score: 5 }, { slot: 2, x: 20 }]), 0).x, 10);
  assert.equal(spectator.focus(world([{ slot: 1, score: 5 }, { slot: 2, x: 20 }]), 16).x, 20);
});
