import type { Kind } from "./schema.js";
/** One entity at the frame's view tick. {@link Frame.forEachRow} reuses one object for all rows: copy what is to be kept. */
export declare class Row {
    #private;
    readonly kind: Kind;
    /** Kind and slot as one number, as in `TickwireClient.playerId`. */
    get id(): number;
    get slot(): number;
    /** How many entities have used the slot, this one included. Another generation in the same slot is another entity. */
    get generation(): number;
    /** Position of a placed kind, in the game's own units; NaN for other kinds. */
    get x(): number;
    /** Position of a placed kind, in the game's own units; NaN for other kinds. */
    get y(): number;
    /** A lane by index or name. Continuous lanes are interpolated, others jump. */
    lane(lane: number | string): number;
    /**
     * A private lane by index or name: only of an entity of the player's own, else undefined. The predicted entity's are as predicted for
     * the newest input.
     */
    private(lane: number | string): number | undefined;
    /** A text by index or name. Empty while an entity is shown that the newest snapshot no longer has. */
    text(text: number | string): string;
}
/** The world at one view tick. Valid until the next `sample`. */
export declare class Frame {
    #private;
    /** The view tick, with its fraction. Show an event when this has reached the event's `tick`. */
    readonly tick: number;
    /**
     * Calls `show` for each entity of a kind. All calls share one object. Shows nothing before the session has joined. The player's own
     * entity is among them, as predicted (`TickwireClient.isPredicting`).
     */
    forEachRow(kind: string, show: (row: Row) => void): void;
}
