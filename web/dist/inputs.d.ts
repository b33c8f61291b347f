import type { Schema } from "./schema.js";
import { type Leaf } from "./values.js";
export declare class InputCodec {
    #private;
    readonly leaves: readonly Leaf[];
    constructor({ input, kinds }: Pick<Schema, "input" | "kinds">);
    /** Whether the schema describes inputs. Otherwise the game has an encoding of its own. */
    get isDescribed(): boolean;
    /** The integers of an input with these fields. Fields left out are as in `base`; without a base they are neutral. */
    words(given: object, base?: readonly number[]): number[];
    /** The payload of an input's integers. */
    payload(words: readonly number[]): Uint8Array;
}
