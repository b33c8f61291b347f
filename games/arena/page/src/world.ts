// The arena as the page draws it: plain objects in units and radians.
//
// In: a room. Out: after each `sample` the ships, pellets and players of that moment, the player's own ship as predicted. The objects
// are used again for the next frame. This is the only module that reads rows.

import type { Room, Row } from "@tickwire/client";
import { type ShipId, generationOf, slotOf } from "./wire.js";

/** The game's name. */
export const GAME = "arena";

export interface Ship extends ShipId {
  x: number;
  y: number;
  /** In radians, clockwise from +x with y pointing down. */
  heading: number;
  health: number;
  /** The slot of its player. */
  player: number;
}

export interface Pellet {
  slot: number;
  x: number;
  y: number;
  worth: number;
}

/** A line of the score board. */
export interface Player {
  slot: number;
  name: string;
  score: number;
  kills: number;
  deaths: number;
  /** The session's number; 0: a computer player. */
  session: number;
}

/** The player's own ship. */
export interface OwnShip {
  ship: Ship;
  isPredicted: boolean;
  /** Ticks until the next shot, after the newest input if the ship is predicted. */
  cooldown: number;
}

/** One moment of the arena. */
export class World {
  /** The moment of the screen, in ticks, with its fraction. */
  tick = 0;
  readonly ships = new List<Ship>(() => ({ slot: 0, generation: 0, x: 0, y: 0, heading: 0, health: 0, player: 0 }));
  readonly pellets = new List<Pellet>(() => ({ slot: 0, x: 0, y: 0, worth: 0 }));
  /** By slot. */
  readonly players = new Map<number, Player>();
  own: OwnShip | undefined;
  /** The number of the newest input. */
  newestInput = 0;

  /** Takes the moment that the screen shows now. */
  sample(room: Room): void {
    const frame = room.frame();
    this.tick = frame.tick;
    this.newestInput = room.inputNumber;
    this.pellets.clear();
    for (const row of frame["pellet"] as readonly Row[]) {
      const pellet = this.pellets.add();
      pellet.slot = slotOf(row.id);
      pellet.x = row["x"];
      pellet.y = row["y"];
      pellet.worth = row["worth"];
    }
    this.ships.clear();
    this.own = undefined;
    for (const row of frame["ship"] as readonly Row[]) this.#addShip(row, room);
    this.players.clear();
    for (const { id, name, score, kills, deaths, session } of frame["player"] as readonly Row[]) {
      const slot = slotOf(id);
      this.players.set(slot, { slot, name, score, kills, deaths, session });
    }
  }

  #addShip(row: Row, room: Room): void {
    const ship = this.ships.add();
    ship.slot = slotOf(row.id);
    ship.generation = generationOf(row.id);
    ship.x = row["x"];
    ship.y = row["y"];
    ship.heading = row["heading"];
    ship.health = row["health"];
    ship.player = row["player"];
    if (ship.player !== ownSlotOf(room)) return;
    this.own = { ship, isPredicted: room.isPredicting, cooldown: row["cooldown"] ?? 0 };
  }

  /** The name of a player; empty if unknown. */
  nameOf(player: number): string {
    return this.players.get(player)?.name ?? "";
  }

  /** All players, highest score first. */
  ranking(): Player[] {
    return [...this.players.values()].sort((a, b) => b.score - a.score || a.slot - b.slot);
  }
}

/** The slot of the player's own entity; undefined for spectators. */
export const ownSlotOf = ({ ownId }: Room): number | undefined => (ownId === undefined ? undefined : slotOf(ownId));

/** A list whose objects stay when it is cleared, so that frames leave no garbage. */
class List<T> implements Iterable<T> {
  readonly #items: T[] = [];
  #length = 0;

  constructor(private readonly make: () => T) {}

  clear(): void {
    this.#length = 0;
  }

  /** An object to fill; it may have the values of an earlier frame. */
  add(): T {
    const item = (this.#items[this.#length] ??= this.make());
    this.#length++;
    return item;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let at = 0; at < this.#length; at++) yield this.#items[at] as T;
  }

  find(isWanted: (item: T) => boolean): T | undefined {
    for (const item of this) if (isWanted(item)) return item;
    return undefined;
  }
}
