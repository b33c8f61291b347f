import type { Schema } from "./schema.js";
/** What a row has beside the game's own members. */
export interface RowBase {
    /** The entity's number in the room, as in references to it. No other entity ever has it. */
    readonly id: number;
    /** Whether the entity is the player's own. */
    readonly isOwn: boolean;
}
/** Where the core's list of the latest frame is. */
export interface RowSource {
    readonly words: Int32Array;
    /** Index of the first word in `words`. */
    readonly first: number;
    readonly textOf: (number: number) => string;
    /** Whether numbers of texts that a row has seen may now stand for other texts. */
    readonly areTextsVoid: boolean;
}
/** The rows of all kinds. */
export declare class Rows {
    #private;
    constructor(schema: Schema);
    /** The array of each kind by its name in JavaScript. */
    get arrays(): [string, readonly RowBase[]][];
    /** Takes the rows of a frame. */
    update(source: RowSource): void;
    /** The row of an entity in view. */
    find(id: number | undefined): RowBase | undefined;
    /** Forgets all rows: the room's tick or its entities began anew. */
    clear(): void;
}
