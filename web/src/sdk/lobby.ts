// The lobby: rooms to choose from, and seats in them.
//
// In: what a player wants. Out: the server's answer, or a sentence that says why there is none. A file of its own, as most pages know
// their room.

import { addressBesidePage, checkedAddress } from "./address.js";
import { shown, wrongType } from "./values.js";

/** What a room was made for: names with values. */
export type Tags = Record<string, string | number | boolean>;

/** A public room. */
export interface ListedRoom {
  room: string;
  /** Players who are connected. */
  players: number;
  /** Seats. */
  max: number;
  /** What the room was made for. */
  tags: Record<string, string>;
  /** What the game tells of it. */
  metadata: Record<string, string>;
}

export interface RoomsOptions {
  /** Address of the server's WebSocket, as in `join`. Default: `ws` beside the page. */
  url?: string | URL | undefined;
  /** The tags that the rooms must have. */
  tags?: Tags | undefined;
  /** Rooms of a page, 1 to 100. Default: 50. */
  limit?: number | undefined;
  /** `next` of the page before. */
  after?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface MatchOptions {
  /** Address of the server's WebSocket, as in `join`. Default: `ws` beside the page. */
  url?: string | URL | undefined;
  /** Default: `joinOrCreate`. */
  mode?: "joinOrCreate" | "create" | "join" | undefined;
  /** The room has these at least; a new one has exactly these. */
  tags?: Tags | undefined;
  /** Seats of a new room. */
  max?: number | undefined;
  /** A new room is unlisted, and others need its `key`. With mode `create`. */
  private?: boolean | undefined;
  /** This room and no other. With mode `join`. */
  room?: string | undefined;
  /** The `key` of a private room. */
  key?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** A seat in a room, held for ten seconds. Give it to `join`. */
export interface Seat {
  room: string;
  /** Address of the room's WebSocket. */
  url: string;
  reservation: string;
  /** When the seat is given away, in seconds since 1970. */
  expires: number;
  /** By it further players get seats in a new private room: `match({ mode: "join", room, key })`. */
  key?: string;
}

/** What `rooms` and `match` reject with where the server refuses. Its message is a sentence. */
export interface LobbyError extends Error {
  /** The HTTP status: 404 where there is no such room, or no list of rooms; 409 where the room is full. */
  status: number;
}

const MODES = ["joinOrCreate", "create", "join"];

/** The server's public rooms. Rejects with status 404 where the server has no list (`--room-list`), as by default. */
export async function rooms({ url, tags = {}, limit, after, signal }: RoomsOptions = {}): Promise<{ rooms: ListedRoom[]; next: string | null }> {
  const address = besideSocket(url, "rooms");
  const query = { limit, after, ...Object.fromEntries(Object.entries(checkedTags(tags)).map(([name, value]) => [`tag.${name}`, value])) };
  for (const [name, value] of Object.entries(query)) if (value !== undefined) address.searchParams.set(name, String(value));
  return asked(address, { signal: signal ?? null });
}

/** A seat in a room with the tags: in one that there is, or in a new one. Rejects if there is none. */
export async function match({ url, signal, ...wanted }: MatchOptions = {}): Promise<Seat> {
  const { mode = "joinOrCreate", tags = {}, max } = wanted;
  if (!MODES.includes(mode)) throw new RangeError(`mode is ${shown(mode)}; possible are ${MODES.join(", ")}`);
  if (max !== undefined && !(Number.isInteger(max) && max > 0)) throw wrongType("max", max, "a whole number from 1 on");
  checkedTags(tags);
  const address = besideSocket(url, "match");
  const seat: Seat = await asked(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted), signal: signal ?? null });
  return { ...seat, url: checkedAddress(new URL(seat.url, address).href) };
}

/** @internal Where to join. */
export interface Place {
  room?: string | undefined;
  url?: string | URL | undefined;
  reservation?: Uint8Array | undefined;
  /** Why there is no seat. A full room may be full because of the page before the reload, which has its seat: then one can try. */
  problem?: LobbyError;
}

/** @internal Where to join by a seat, or by a match. */
export async function placeFor(wanted: MatchOptions | Seat, url?: string | URL, signal?: AbortSignal): Promise<Place> {
  try {
    const { reservation, ...place } = "reservation" in wanted ? wanted : await match({ url, signal, ...wanted });
    return { ...place, reservation: bytesOf(reservation) };
  } catch (error) {
    const problem = error as LobbyError;
    const { room } = wanted;
    if (problem.status !== 409 || !room) throw problem;
    return { room, url: besideSocket(wanted.url ?? url, `ws?room=${room}`).href, problem };
  }
}

function bytesOf(base64url: string): Uint8Array {
  return Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
}

function checkedTags(tags: Tags): Tags {
  if (typeof tags !== "object" || tags === null) throw wrongType("tags", tags, "an object");
  for (const [name, value] of Object.entries(tags)) {
    if (!["string", "number", "boolean"].includes(typeof value)) throw wrongType(`tags.${name}`, value, "a string, a number or a boolean");
  }
  return tags;
}

/** What the server has beside its WebSocket. */
function besideSocket(url: string | URL | undefined, path: string): URL {
  const socket = url === undefined ? addressBesidePage("") : checkedAddress(String(url));
  return new URL(path, socket.replace(/^ws/, "http"));
}

// biome-ignore lint: what the server answers
async function asked(address: URL, request: RequestInit): Promise<any> {
  let answer: Response;
  try {
    answer = await fetch(address, request);
  } catch (error) {
    request.signal?.throwIfAborted();
    throw new Error(`${address.host} cannot be reached: ${(error as Error).message}`);
  }
  if (answer.ok) return answer.json();
  const { status } = answer;
  throw Object.assign(new Error((await answer.text()).trim() || `${address.href} answers ${status}`), { status });
}
