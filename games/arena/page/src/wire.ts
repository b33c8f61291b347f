// The arena's bytes: its input, its events and its map, as docs/PROTOCOL.md describes them.
//
// In: what the player holds, payloads of events, the map of a room. Out: bytes, and plain objects in units. Holds nothing.

/** Steps of a position in one unit, and of a heading in one turn. */
export const UNIT = 16;
export const TURN = 1024;

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

/** Reads a `beam` event; undefined if it is none. */
export function readBeam(payload: Uint8Array): BeamEvent | undefined {
  if (payload.length !== 36) return undefined;
  const [slot, generation, input, x0, y0, x1, y1, hitSlot, hitGeneration] = words(payload);
  return {
    shooter: { slot, generation },
    input,
    from: { x: (x0 | 0) / UNIT, y: (y0 | 0) / UNIT },
    to: { x: (x1 | 0) / UNIT, y: (y1 | 0) / UNIT },
    hit: hitGeneration === 0 ? undefined : { slot: hitSlot, generation: hitGeneration },
  };
}

/** Reads a `kill` event; undefined if it is none. */
export function readKill(payload: Uint8Array): KillEvent | undefined {
  if (payload.length !== 8) return undefined;
  const [killer, victim] = words(payload);
  return { killer, victim };
}

/** Reads the map of a room. */
export function readRocks(map: Uint8Array): Rock[] {
  const view = new DataView(map.buffer, map.byteOffset, map.byteLength);
  const rocks: Rock[] = [];
  for (let at = 0; at + 6 <= map.length; at += 6) {
    rocks.push({ x: view.getUint16(at, true), y: view.getUint16(at + 2, true), radius: view.getUint16(at + 4, true) });
  }
  return rocks;
}

type Words = [number, number, number, number, number, number, number, number, number];

/** The 32-bit words of a payload; 0 where it has none. */
function words(payload: Uint8Array): Words {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const list: Words = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let at = 0; at * 4 + 4 <= payload.length; at++) list[at] = view.getUint32(at * 4, true);
  return list;
}
