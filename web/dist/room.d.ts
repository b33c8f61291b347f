import { type Remove } from "./listeners.js";
import { type AnyGame, type GameTypes } from "./protocol.js";
import { type RowBase } from "./rows.js";
import type { Schema } from "./schema.js";
import type { Errors, Phase, Stats } from "./types.js";
/** A row of a kind of entity. The same entity has the same object as long as it is in view; each frame moves it on. */
export type Row<G extends GameTypes = AnyGame, K extends keyof G["kinds"] = keyof G["kinds"]> = G["kinds"][K] & RowBase;
/** The world on the screen: an array of rows for each kind of entity, by its name. Always the same object. */
export type Frame<G extends GameTypes> = string extends keyof G["kinds"] ? {
    readonly tick: number;
    readonly [kind: string]: any;
} : {
    readonly tick: number;
} & {
    readonly [K in keyof G["kinds"]]: readonly Row<G, K>[];
};
/** When an event's listener is called: as the screen shows its tick (a little later than it is known, as for everything of others), or at once. */
export interface When {
    when?: "screen" | "known";
}
/** The argument of a command: optional if the command has no fields, or if nobody knows them. */
type Fields<T> = 0 extends 1 & T ? [fields?: any] : Record<string, never> extends T ? [fields?: T] : [fields: T];
/** A player's place in a room. {@link join} gives one. */
export declare class Room<G extends GameTypes = AnyGame> {
    #private;
    /**
     * What the player wants from the next tick on. Fields that are left out are neutral. Throws a TypeError or a RangeError for a field that
     * the game's input does not have, and for a value that it cannot hold.
     */
    set input(input: Partial<G["input"]>);
    get input(): Partial<G["input"]>;
    /**
     * What the player wants in exactly one tick, the next one, over {@link Room.input}: a jump, a shot. What is pressed before that tick
     * has come is pressed together. Throws like {@link Room.input}. What waits when the connection is lost is dropped.
     */
    press(input: Partial<G["input"]>): void;
    /** {@link Room.input} of a game with an encoding of its own. */
    inputBytes(payload: Uint8Array): void;
    /** {@link Room.press} of a game with an encoding of its own. Of several that wait, each gets a tick. Throws a RangeError if too many wait. */
    pressBytes(payload: Uint8Array): void;
    /**
     * Asks the game for something that is no input of a tick, such as a purchase. Commands arrive once and in order, also over a new
     * connection. Throws a TypeError or a RangeError for a command, a field or a value that the game does not have.
     */
    command<N extends keyof G["commands"] & string>(name: N, ...[fields]: Fields<G["commands"][N]>): void;
    /** A command as bytes: for games with an encoding of their own. */
    send(payload: Uint8Array): void;
    /** Sends a line to the room's other players. */
    chat(line: string): void;
    /** Leaves for good. */
    leave(): void;
    /**
     * Moves the screen on to now, and returns what it shows: others a little in the past, the player's own entity as predicted. Call it
     * once for each frame that is drawn. It is always the same object with the same arrays.
     */
    frame(): Frame<G>;
    /** The id of the player's own entity; undefined for spectators. */
    get ownId(): number | undefined;
    /** The row of the player's own entity in the latest frame; undefined for spectators, and while it is not there. */
    get me(): Row<G> | undefined;
    /** The row of an entity in the latest frame, by the `id` of a row or a reference to it. */
    find(id: number | undefined): Row<G> | undefined;
    /** Calls `listener` with each event of the game of this name. Returns a function that removes it. */
    on<N extends keyof G["events"] & string>(name: N, listener: (fields: G["events"][N], at: {
        tick: number;
    }) => void, { when }?: When): Remove;
    /** Calls `listener` with each message of the game to this player of this name. Messages arrive once and in order. */
    onMessage<N extends keyof G["messages"] & string>(name: N, listener: (fields: G["messages"][N]) => void): Remove;
    /** Calls `listener` with each message of a game that has an encoding of its own. */
    onMessageBytes(listener: (payload: Uint8Array) => void): Remove;
    /** Lines of chat. `session`: the sender's number in the room; 0: the server. */
    onChat(listener: (chat: {
        session: number;
        name: string;
        text: string;
    }) => void): Remove;
    /** Announcements of the server's operator. */
    onNotice(listener: (notice: {
        text: string;
    }) => void): Remove;
    /** Changes of {@link Room.phase}; `reason` is a sentence, or empty. */
    onPhase(listener: (change: {
        phase: Phase;
        reason: string;
    }) => void): Remove;
    /** The session is in the room again. `resumed`: as the same player; else everything of the player began anew. */
    onJoined(listener: (joined: {
        resumed: boolean;
    }) => void): Remove;
    /** The session is over: it left, or the server ended it. */
    onLeft(listener: (left: {
        code: number;
        reason: string;
    }) => void): Remove;
    /** Prediction has begun, has ended, or cannot begin; `note` says why. */
    onPrediction(listener: (prediction: {
        isPredicting: boolean;
        note: string;
    }) => void): Remove;
    get phase(): Phase;
    /** Why there is no connection, or why the session is over, as a sentence; empty if all is well. */
    get trouble(): string;
    /** The name of the room. */
    get name(): string;
    /** The name of the game that the room plays. */
    get game(): string;
    /** The game's map, in its own encoding. */
    get map(): Uint8Array;
    /** The player: its number in the room, as `player` values have it, and its name as others see it. */
    get player(): {
        number: number;
        name: string;
        isSpectator: boolean;
    };
    /** Whether the player is the same as before the page was loaded, or as before the connection was lost. */
    get isResumed(): boolean;
    /** Whether the player's own movement is predicted: the room's rules are loaded. */
    get isPredicting(): boolean;
    /** Why the player's own movement is not predicted; empty while it is, and where there is nothing to predict. */
    get predictionNote(): string;
    /** Replaces the ticket for future connections: nobody can reconnect with an expired one. */
    set ticket(ticket: string);
    /** The schema of the room's game: kinds, lanes, fields. */
    get schema(): Schema;
    /**
     * How many inputs' positions were confirmed, and how many of those had first been predicted more than `bound` away (in lane units);
     * the same for the steps that the newest position made as more was known of neighbours, which the screen smooths.
     */
    predictionErrors(bound: number): {
        inputs: Errors;
        replays: Errors;
    };
    /** The number of the newest input: one more for each tick. */
    get inputNumber(): number;
    get stats(): Stats;
}
export {};
