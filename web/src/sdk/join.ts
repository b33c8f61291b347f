// Joining a room.
//
// In: an address, a room, a name, and the game's protocol if there is one. Out: a room that is being played, or a sentence that says why not.

import { coreLoaded } from "./core.js";
import type { AnyGame, GameTypes, Protocol } from "./protocol.js";
import { Room } from "./room.js";
import { SavedSession } from "./saved-session.js";
import { shown, wrongType } from "./values.js";

export interface JoinOptions {
  /** Address of the WebSocket: ws or wss (or http or https, with the same meaning), or a path on the page's server that begins with /. Default: `ws` beside the page. */
  url?: string | URL | undefined;
  /** Room name. Default: the server's. */
  room?: string | undefined;
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

const PROTOCOLS = new Set(["ws:", "wss:"]);
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
  const [room, name, ticket] = [text("room", options.room), text("name", options.name), text("ticket", options.ticket)];
  const address = options.url === undefined ? addressBesidePage(room) : checkedAddress(String(options.url));
  const WebSocket = (options.WebSocket ?? globalThis.WebSocket) as typeof globalThis.WebSocket | undefined;
  if (!WebSocket) throw new TypeError("there is no WebSocket here: give one to join, as in { WebSocket } from the package ws");
  const saved = resume ? new SavedSession(JSON.stringify([address, room, name, spectate])) : undefined;
  const [{ memory }, earlier] = await Promise.all([coreLoaded(), saved?.take()]);
  signal?.throwIfAborted();
  const joining = new Room(memory, protocol as Protocol<G> | undefined, { address, room, name, ticket, spectate, WebSocket, saved, resume: earlier });
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
    const late = () => fail(new Error(`${address} does not let anybody in: ${room.trouble || "it does not answer"} (tried for ${timeoutMs / 1000} s)`));
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

/** The address in the form that every browser accepts. An invalid one is refused here: the core would retry it forever. */
function checkedAddress(given: string): string {
  let url: URL | undefined;
  try {
    url = new URL(given, given.startsWith("/") ? pageAddress() : undefined);
    url.protocol = url.protocol.replace(/^http/, "ws");
    url.hash = "";
  } catch {
    // Handled below, like a wrong protocol.
  }
  if (!url || !PROTOCOLS.has(url.protocol)) throw new TypeError(`${shown(given)} is no address of a WebSocket: use one like wss://game.example/ws`);
  return url.href;
}

/** `ws` beside the page, over TLS if the page is. */
function addressBesidePage(room: string): string {
  const page = pageAddress();
  if (page === undefined) throw new TypeError("there is no page here whose server could be meant: give join the url of the server");
  const url = new URL("ws", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = room ? `?room=${encodeURIComponent(room)}` : "";
  url.hash = "";
  return url.href;
}

/** The address of the page, or of the worker's script. */
function pageAddress(): string | undefined {
  return globalThis.document?.baseURI ?? globalThis.location?.href;
}
