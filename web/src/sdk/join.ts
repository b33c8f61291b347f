// Joining a room.
//
// In: an address, a room, a name, and the game's protocol if there is one. Out: a room that is being played, or a sentence that says why not.

import { addressBesidePage, checkedAddress } from "./address.js";
import { coreLoaded } from "./core.js";
import type { MatchOptions, Place, Seat } from "./lobby.js";
import type { AnyGame, GameTypes, Protocol } from "./protocol.js";
import { Room } from "./room.js";
import { SavedSession } from "./saved-session.js";
import { wrongType } from "./values.js";

export interface JoinOptions {
  /** Address of the WebSocket: ws or wss (or http or https, with the same meaning), or a path on the page's server that begins with /. Default: `ws` beside the page. */
  url?: string | URL | undefined;
  /** Room name. Default: the server's. */
  room?: string | undefined;
  /** Instead of a room: which one to find or to make, as for `match`; or the seat that `match` gave. */
  match?: MatchOptions | Seat | undefined;
  /** Display name. Default: the server picks one. */
  name?: string | undefined;
  /** Signed ticket, where the server demands one. Set {@link Room.ticket} before it expires. */
  ticket?: string | undefined;
  /** Watch without playing. */
  spectate?: boolean | undefined;
  /** Gives up joining. */
  signal?: AbortSignal | undefined;
  /** For how long joining is tried, in milliseconds; Infinity: until it is refused. Default: 15,000. */
  timeoutMs?: number | undefined;
  /** Called with a sentence whenever joining fails and is tried again. */
  onTrouble?: ((sentence: string) => void) | undefined;
  /** Whether a reloaded page goes on as the same player. Default: true. */
  resume?: boolean | undefined;
  /** The WebSocket to use where there is no global one, as in Node 20. */
  WebSocket?: unknown;
}

const TIMEOUT_MS = 15_000;

/**
 * Joins a room, and resolves when its world is there. Rejects with an error whose message is a sentence: the address is none, the server
 * cannot be reached or refuses the player, or the room plays another game than the page's protocol.
 */
export function join(options?: JoinOptions): Promise<Room<AnyGame>>;
export function join<G extends GameTypes>(protocol: Protocol<G>, options?: JoinOptions): Promise<Room<G>>;
export async function join<G extends GameTypes>(first: Protocol<G> | JoinOptions = {}, second?: JoinOptions): Promise<Room<G>> {
  const protocol = "shape" in first ? first : undefined;
  const options = protocol ? (second ?? {}) : (first as JoinOptions);
  const { signal, timeoutMs = TIMEOUT_MS, onTrouble, spectate = false, resume = true } = options;
  if (typeof options !== "object" || options === null) throw wrongType("the options of join", options, "an object");
  if (options.match && options.room) throw new TypeError("join has both room and match; give one of them");
  const [name, ticket] = [text("name", options.name), text("ticket", options.ticket)];
  const WebSocket = (options.WebSocket ?? globalThis.WebSocket) as typeof globalThis.WebSocket | undefined;
  if (!WebSocket) throw new TypeError("there is no WebSocket here: give join that of the package ws");
  // Loaded where it is needed: most pages know their room.
  const place: Place = options.match ? await (await import("./lobby.js")).placeFor(options.match, options.url, signal) : options;
  const { url, reservation, problem } = place;
  const room = text("room", place.room);
  const address = url === undefined ? addressBesidePage(room) : checkedAddress(String(url));
  const saved = resume ? new SavedSession(JSON.stringify([address, room, name, spectate])) : undefined;
  const [{ memory }, earlier] = await Promise.all([coreLoaded(), saved?.take()]);
  signal?.throwIfAborted();
  if (problem && !earlier) throw problem;
  const joining = new Room(memory, protocol as Protocol<G> | undefined, { address, room, name, ticket, spectate, reservation, WebSocket, saved, resume: earlier });
  await joined(joining, address, timeoutMs, signal, onTrouble);
  return joining;
}

function joined<G extends GameTypes>(room: Room<G>, address: string, timeoutMs: number, signal?: AbortSignal, onTrouble?: (sentence: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let trouble = "";
    const end = () => {
      clearTimeout(timer);
      room.onUpdate(undefined);
      signal?.removeEventListener("abort", giveUp);
    };
    const fail = (error: unknown) => {
      end();
      room.leave();
      reject(error as Error);
    };
    const giveUp = () => fail(signal?.reason);
    const late = () => fail(new Error(`${address} lets nobody in: ${room.trouble || "no answer"} after ${timeoutMs / 1000} s`));
    // Longer delays than a timer can have are as good as endless.
    const timer = timeoutMs < 2 ** 31 ? setTimeout(late, timeoutMs) : undefined;
    room.onUpdate(() => {
      if (room.phase === "closed") fail(new Error(room.trouble || "the session ended before it began"));
      else if (room.hasWorld) {
        end();
        resolve();
      } else if (room.trouble !== trouble) {
        trouble = room.trouble;
        if (trouble) onTrouble?.(trouble);
      }
    });
    signal?.addEventListener("abort", giveUp);
  });
}

/** Null and undefined are empty. */
function text(of: string, given: unknown): string {
  if (given === undefined || given === null) return "";
  if (typeof given !== "string") throw wrongType(of, given, "a string");
  return given;
}
