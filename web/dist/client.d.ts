import { Emitter } from "./emitter.js";
import { Frame } from "./frame.js";
import { type Schema } from "./schema.js";
import type { ClientEvents, Errors, Phase, Status } from "./types.js";
export interface ClientOptions {
    /** Address of the WebSocket: ws or wss (or http or https, with the same meaning), or a path on the page's server that begins with /. Default: `ws` beside the page. */
    url?: string;
    /** Room name. Default: the server's. */
    room?: string;
    /** Display name. Default: the server picks one. */
    name?: string;
    /** Signed ticket, where the server demands one. Set {@link TickwireClient.ticket} before it expires. */
    ticket?: string;
    /** Watch without playing. */
    spectate?: boolean;
}
/**
 * Loads the wasm core, once for all sessions. `connect` does so by itself. `from`: the address of `tickwire_bg.wasm`, or its bytes;
 * default: beside the script. Calls after a successful one change nothing.
 */
export declare function loadCore(from?: string | URL | Uint8Array<ArrayBuffer>): Promise<void>;
/**
 * A session of any game. {@link TickwireClient.sample} gives the world to draw: others a little in the past, the player's own entity as
 * predicted by the room's rules, which come from the server. While they are loading, or where there are none, it is as old as all
 * others; {@link TickwireClient.predictionNote} says why.
 */
export declare class TickwireClient extends Emitter<ClientEvents> {
    #private;
    /** Starts a session. Listen to `phase` and `joined`. Rejects with a TypeError if `url` cannot be the address of a WebSocket. */
    static connect(options?: ClientOptions): Promise<TickwireClient>;
    private constructor();
    /** Runs what is due now: connecting, and the inputs of the ticks that have come. A timer calls it; call it in every frame too, before drawing. */
    poll(): void;
    /** Sets the input of every tick from the next one on: at most 64 bytes, in the game's own encoding. */
    input(payload: Uint8Array): void;
    /**
     * Sets the input of one tick, the next one: a jump, a shot. After it the input of {@link input} goes on. Several such inputs get a tick
     * each, in order; when 64 wait already (in a hidden tab, for instance, no ticks come), another one is a RangeError. Inputs that still
     * wait when the session joins, for the first time or again, are dropped: send what must arrive as a {@link command}. Of several ticks
     * that are due at once, after a hitch, the newest carries the last one.
     */
    inputOnce(payload: Uint8Array): void;
    /**
     * Sends the game a command: anything that is not the input of a tick, e.g. a purchase; at most 4,000 bytes, in the game's own encoding.
     * Commands arrive once and in order. Without a connection they follow when there is one, unless the session is over by then.
     */
    command(payload: Uint8Array): void;
    /** The world to draw now. The frame is valid until the next call. */
    sample(): Frame;
    /** Sends a chat line to the room. */
    chat(line: string): void;
    /** Replaces the ticket for future connections: nobody can reconnect with an expired one. */
    set ticket(ticket: string);
    /** Leaves the room and ends the session. */
    leave(): void;
    get phase(): Phase;
    /** Why there is no connection, for people; empty if there is one or the reason is unknown. */
    get lastError(): string;
    /** The session's number in the room. */
    get session(): number;
    /** The game that the room plays; empty before `joined`. */
    get game(): string;
    /** The game's kinds of entity and of event; none before `joined`. */
    get schema(): Schema;
    /** The game's map, in its own encoding. */
    map(): Uint8Array;
    /** The player's entity as one number: its kind in the upper 8 bits, its slot below, as in `Row.id`; undefined for spectators. */
    get playerId(): number | undefined;
    /** The player's slot; undefined for spectators. */
    get playerSlot(): number | undefined;
    /** The player's name as the server has it. */
    get name(): string;
    get room(): string;
    get isSpectator(): boolean;
    /** The entity that is predicted, as one number like {@link Row.id}; undefined while there is none. */
    get predictedId(): number | undefined;
    /** Why the player's own movement is not predicted, for people; empty while it is, and where there is nothing to predict. */
    get predictionNote(): string;
    /** Whether the player's own movement is predicted: the room's rules are loaded. */
    get isPredicting(): boolean;
    /** The number of the newest input made, as the server knows it: an event of the game may name the input that caused it. */
    get inputNumber(): number;
    /**
     * How many inputs' positions were confirmed, and how many of those had first been predicted more than `bound` away (in lane units);
     * the same for the steps that the newest position made as more was known of neighbours, which the screen smooths.
     */
    predictionErrors(bound: number): {
        inputs: Errors;
        replays: Errors;
    };
    status(): Status;
}
