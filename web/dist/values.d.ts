import { type Kind, type ValueType } from "./schema.js";
/** A value that a page reads or gives. */
export interface Leaf {
    /** Names from the outside in, such as `["aim", "x"]`. */
    readonly path: readonly string[];
    /** The type, as `tickwire types` writes it: `number`, `boolean`, `player`, `id`, `text`, `bytes`, or the names of a choice. */
    readonly type: string;
    /** Whether a payload may leave it out. */
    readonly isOptional?: boolean;
    /** The index of its first word. */
    readonly at: number;
    /** The value of its words. */
    readonly read: (words: ArrayLike<number>) => unknown;
    /** The words of a value. Throws a TypeError or a RangeError that names the field and says what is possible. */
    readonly write: (value: unknown, words: number[]) => void;
}
/** One integer, as the schema describes it. */
export interface Integer {
    readonly name: string;
    /** How many steps make a turn, of an angle. */
    readonly modulus?: number;
    readonly min?: number;
    readonly max?: number;
    readonly value?: ValueType;
}
/** A name of the schema as JavaScript spells it: `you_are_it` is `youAreIt`. */
export declare const camelCase: (name: string) => string;
export declare const pathOf: (name: string) => string[];
/** Kind, slot and generation of an entity in one number that no other entity of the room has. Exact below 2^53. */
export declare const entityId: (kind: number, slot: number, generation: number) => number;
export declare const kindOf: (id: number) => number;
export declare const slotOf: (id: number) => number;
/** The leaves of integers that lie one after the other from word `first` on. `kinds`: for references to entities. */
export declare function leavesOf(integers: readonly Integer[], kinds: readonly Kind[], first?: number): Leaf[];
export declare function wrongType(name: string, given: unknown, wanted: string): TypeError;
/** A value of an untyped script, for a sentence. */
export declare function shown(given: unknown): string;
/** Leaves by their first names. Those that share it are a list, without that name. */
export declare function treeOf<T extends {
    readonly path: readonly string[];
}>(leaves: readonly T[]): Map<string, T | T[]>;
/** Writes the members of a page's object into `words`. Throws for members that there are not. `of`: what the object is, for people. */
export declare function writeMembers(leaves: readonly Leaf[], given: unknown, words: number[], of: string): void;
/** An object with the values of leaves. Members named 0, 1, 2… make an array. */
export declare function readMembers<T extends {
    readonly path: readonly string[];
}>(leaves: readonly T[], valueOf: (leaf: T) => unknown): object;
