// Short-lived effects: beams, hits, bursting ships, each at the moment at which the screen should show it.
//
// In: beams and kills from the server, and frames. Out: with each frame the effects to begin. The screen is a little in the past, so
// effects of others wait until its tick reaches theirs. The player's own beam is drawn at once, when the predicted ship fires; the
// server's report of it then only confirms the hit. Never draws one shot twice. Where the ship is not predicted, its beam is drawn when
// the server reports it.

import { castBeam } from "./beam.js";
import { type BeamEvent, type KillEvent, type Point, type Rock, type ShipId } from "./wire.js";
import type { OwnShip, Ship, World } from "./world.js";

/** Ticks between two shots of a ship. */
const COOLDOWN_TICKS = 20;
/**
 * Input numbers nearer than this are of the same shot: less than half of a cool-down. The number of the input that fired is reckoned
 * from the cool-down, and is off by the ticks for which no input was made.
 */
const SAME_SHOT = 9;
/** Shots of the player's own that may still be confirmed. */
const MAX_KEPT_SHOTS = 32;
/** Effects that may wait for their tick; a hidden page draws no frames. */
const MAX_WAITING = 256;
/** An effect that the screen passed by more than this is dropped. */
const MAX_AGE_TICKS = 30;

export interface Beam {
  kind: "beam";
  from: Point;
  to: Point;
  /** The shooter's player; -1: unknown. */
  player: number;
  isOwn: boolean;
  endsAtShip: boolean;
  endsAtOwn: boolean;
}

/** The player's own beam has hit, by the server's judgement. */
export interface Hit {
  kind: "hit";
  at: Point;
  player: number;
}

export interface Burst {
  kind: "burst";
  at: Point;
  /** Whose ship it was. */
  player: number;
  isOwn: boolean;
}

export type Effect = Beam | Hit | Burst;

type Waiting = { tick: number; beam: BeamEvent } | { tick: number; kill: KillEvent };

export class EffectQueue {
  /** The player's slot; undefined for spectators. */
  ownPlayer: number | undefined;
  rocks: Rock[] = [];
  #waiting: Waiting[] = [];
  #next: Effect[] = [];
  /** The numbers of the inputs whose beams are drawn. */
  #drawn: number[] = [];
  /** The player's newest ship. */
  #ownShip: ShipId | undefined;
  /** The cool-down of the player's predicted ship in the previous frame; undefined: it was another ship, or not predicted. */
  #cooldown: number | undefined;
  /** Where the previous frame drew each player's ship. */
  readonly #positions = new Map<number, Point>();

  /** Forgets everything: the session has joined another world. */
  clear(): void {
    this.#waiting = [];
    this.#next = [];
    this.#drawn = [];
    this.#ownShip = undefined;
    this.#cooldown = undefined;
    this.#positions.clear();
  }

  /** Takes a beam that the server reports. */
  beam(tick: number, beam: BeamEvent): void {
    if (isSame(beam.shooter, this.#ownShip)) this.#ownBeam(beam);
    else this.#wait({ tick, beam });
  }

  /** Takes a kill that the server reports. */
  kill(tick: number, kill: KillEvent): void {
    // The player's own ship is shown in the present.
    if (kill.victim === this.ownPlayer) this.#burst(kill);
    else this.#wait({ tick, kill });
  }

  /** The effects that begin with the frame that shows `world`. */
  take(world: World): Effect[] {
    // First what waits: a ship bursts where the previous frame drew it.
    this.#waiting = this.#waiting.filter((waiting) => {
      if (waiting.tick > world.tick) return true;
      if (world.tick - waiting.tick > MAX_AGE_TICKS) return false;
      if ("kill" in waiting) this.#burst(waiting.kill);
      else this.#beamOfAnother(waiting.beam, world);
      return false;
    });
    this.#fire(world);
    for (const { player, x, y } of world.ships) this.#positions.set(player, { x, y });
    const effects = this.#next;
    this.#next = [];
    return effects;
  }

  /** Draws the player's own beam as soon as the predicted ship fires: then its cool-down begins anew. */
  #fire(world: World): void {
    const { own } = world;
    const before = this.#cooldown;
    const isSameShip = isSame(own?.ship, this.#ownShip);
    if (own) this.#ownShip = { slot: own.ship.slot, generation: own.ship.generation };
    this.#cooldown = own?.isPredicted ? own.cooldown : undefined;
    if (!own?.isPredicted || !isSameShip || before === undefined || own.cooldown <= before) return;
    const input = world.newestInput - (COOLDOWN_TICKS - own.cooldown);
    if (this.#isDrawn(input)) return;
    this.#keepDrawn(input);
    const others = [...world.ships].filter((ship) => ship !== own.ship);
    this.#pushOwn(own, castBeam(own.ship, own.ship.heading, this.rocks, others));
  }

  #pushOwn({ ship }: OwnShip, { x, y, hitsShip }: Point & { hitsShip: boolean }): void {
    const from = { x: ship.x, y: ship.y };
    this.#next.push({ kind: "beam", from, to: { x, y }, player: ship.player, isOwn: true, endsAtShip: hitsShip, endsAtOwn: false });
  }

  /** The server reports a beam of the player's own. */
  #ownBeam({ input, from, to, hit }: BeamEvent): void {
    const player = this.ownPlayer ?? -1;
    if (!this.#isDrawn(input)) {
      this.#keepDrawn(input);
      this.#next.push({ kind: "beam", from, to, player, isOwn: true, endsAtShip: hit !== undefined, endsAtOwn: false });
    }
    if (hit) this.#next.push({ kind: "hit", at: to, player });
  }

  #beamOfAnother({ shooter, from, to, hit }: BeamEvent, world: World): void {
    const player = world.ships.find((ship) => isSame(ship, shooter))?.player ?? -1;
    const endsAtOwn = hit !== undefined && isSame(hit, world.own?.ship);
    this.#next.push({ kind: "beam", from, to, player, isOwn: false, endsAtShip: hit !== undefined, endsAtOwn });
  }

  #burst({ victim }: KillEvent): void {
    const at = this.#positions.get(victim);
    if (at) this.#next.push({ kind: "burst", at, player: victim, isOwn: victim === this.ownPlayer });
  }

  #wait(waiting: Waiting): void {
    if (this.#waiting.length === MAX_WAITING) this.#waiting.shift();
    this.#waiting.push(waiting);
  }

  /** Input numbers wrap around, so their difference counts, as a signed number. */
  #isDrawn(input: number): boolean {
    return this.#drawn.some((drawn) => Math.abs((drawn - input) | 0) <= SAME_SHOT);
  }

  #keepDrawn(input: number): void {
    if (this.#drawn.length === MAX_KEPT_SHOTS) this.#drawn.shift();
    this.#drawn.push(input);
  }
}

function isSame(one: ShipId | Ship | undefined, other: ShipId | undefined): boolean {
  return one !== undefined && one.slot === other?.slot && one.generation === other.generation;
}
