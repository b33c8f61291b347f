import type { MatchOptions, Seat } from "./lobby.js";
import type { AnyGame, GameTypes, Protocol } from "./protocol.js";
import { Room } from "./room.js";
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
/**
 * Joins a room, and resolves when its world is there. Rejects with an error whose message is a sentence: the address is none, the server
 * cannot be reached or refuses the player, or the room plays another game than the page's protocol.
 */
export declare function join(options?: JoinOptions): Promise<Room<AnyGame>>;
export declare function join<G extends GameTypes>(protocol: Protocol<G>, options?: JoinOptions): Promise<Room<G>>;
