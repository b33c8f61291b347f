// The arena's input and its map as bytes, and its events as the page takes them.
//
// In: what the player holds, the fields of events, the map of a room. Out: bytes, and plain objects in units. Holds nothing.

/** Steps of a heading in one turn. */
const TURN = 1024;

/** Bits of the buttons in an input. */
export const Button = { Up: 1, Down: 2, Left: 4, Right: 8, Fire: 16 } as const;

export interface Point {
  x: number;
  y: number;
}

/** A round rock, in units. */
export interface Rock extends Point {
  radius: number;
}

/** A ship, told apart from others that had the same slot. */
export interface ShipId {
  slot: number;
  generation: number;
}

/** A beam was fired. Positions in units. */
export interface BeamEvent {
  shooter: ShipId;
  /** The number of the input that fired it; 0: a computer player's. */
  input: number;
  from: Point;
  to: Point;
  hit: ShipId | undefined;
}

/** A ship was shot down: the slots of both players. */
export interface KillEvent {
  killer: number;
  victim: number;
}

/** The input of a tick. A ship without an aim keeps its heading; only the direction of the aim counts. */
export function inputOf(buttons: number, aim: Point | undefined): Uint8Array {
  // 0 keeps the heading, so a heading of 0 is a whole turn.
  const heading = aim ? headingOf(aim) || TURN : 0;
  return Uint8Array.of(buttons, heading & 255, heading >> 8);
}

/** The heading of a direction, from 0 to TURN - 1. */
function headingOf({ x, y }: Point): number {
  const heading = Math.round((Math.atan2(y, x) * TURN) / (2 * Math.PI));
  return ((heading % TURN) + TURN) % TURN;
}

/** The fields of a `beam` event, as the SDK gives them: references to ships are ids. */
export interface BeamFields {
  shooter: number;
  inputNumber: number;
  from: Point;
  to: Point;
  hit: number | undefined;
}

/** A `beam` event with its ships by slot and generation. */
export function beamOf({ shooter, inputNumber, from, to, hit }: BeamFields): BeamEvent {
  return { shooter: shipIdOf(shooter), input: inputNumber, from, to, hit: hit === undefined ? undefined : shipIdOf(hit) };
}

/** The slot in an entity's id, and how many entities have used it, this one included. */
export const slotOf = (id: number): number => id % 2 ** 24;
export const generationOf = (id: number): number => Math.floor(id / 2 ** 32);

const shipIdOf = (id: number): ShipId => ({ slot: slotOf(id), generation: generationOf(id) });

/** Reads the map of a room. */
export function readRocks(map: Uint8Array): Rock[] {
  const view = new DataView(map.buffer, map.byteOffset, map.byteLength);
  const rocks: Rock[] = [];
  for (let at = 0; at + 6 <= map.length; at += 6) {
    rocks.push({ x: view.getUint16(at, true), y: view.getUint16(at + 2, true), radius: view.getUint16(at + 4, true) });
  }
  return rocks;
}
