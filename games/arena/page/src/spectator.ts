// Which ship a spectator follows: that of the player who clearly leads, as the server moves the view with the leader of all.
//
// In: frames. Out: the point for the camera. If the followed ship is shot down, waits for the player's next one.

import type { Point, ShipId } from "./wire.js";
import type { World } from "./world.js";

/** A spectator changes to another player only once that one leads by this many points. */
const CLEAR_LEAD = 10;
/** How long to wait for the next ship of a player who was shot down: a little longer than a new one takes. */
const RESPAWN_WAIT_MS = 3_000;

interface Followed extends Point {
  player: number;
  ship: ShipId;
  /** The player's deaths when the ship was first seen. */
  deaths: number;
  seenAt: number;
}

export class Spectator {
  #followed: Followed | undefined;

  /** Forgets the followed player: the session has joined another world. */
  clear(): void {
    this.#followed = undefined;
  }

  /** The point to look at; undefined before the first ship. */
  focus(world: World, now: number): Point | undefined {
    const score = (player: number) => world.players.get(player)?.score ?? 0;
    const deaths = (player: number) => world.players.get(player)?.deaths ?? 0;
    let best: ShipId & Point & { player: number } | undefined;
    for (const ship of world.ships) if (!best || score(ship.player) > score(best.player)) best = ship;

    const followed = this.#followed;
    if (followed) {
      const ship = world.ships.find(({ player }) => player === followed.player);
      if (ship) {
        [followed.x, followed.y, followed.seenAt] = [ship.x, ship.y, now];
        if (ship.slot !== followed.ship.slot || ship.generation !== followed.ship.generation) {
          followed.ship = { slot: ship.slot, generation: ship.generation };
          followed.deaths = deaths(followed.player);
        }
      }
      const hasDied = deaths(followed.player) !== followed.deaths;
      const waits = hasDied && now - followed.seenAt < RESPAWN_WAIT_MS;
      const lead = best ? score(best.player) - score(followed.player) : 0;
      if (lead < CLEAR_LEAD && (ship || waits)) return followed;
    }
    if (best) {
      const { player, slot, generation, x, y } = best;
      this.#followed = { player, ship: { slot, generation }, deaths: deaths(player), seenAt: now, x, y };
    }
    return this.#followed;
  }
}
