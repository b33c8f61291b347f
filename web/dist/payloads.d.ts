import { type Kind, type PayloadKind } from "./schema.js";
import { type Leaf } from "./values.js";
/** A kind of event, command or message, ready to be read and written. */
export interface PayloadCodec {
    readonly name: string;
    readonly number: number;
    readonly isDescribed: boolean;
    /** Path and type of each value. */
    readonly leaves: readonly Pick<Leaf, "path" | "type">[];
    /** The page's object of a payload, whose kind has been read; undefined if the bytes are no such payload. */
    read(payload: Uint8Array): object | undefined;
    /** The payload of a page's object. Throws a TypeError or a RangeError. `prefix`: the bytes before it. */
    write(given: unknown, prefix: number[]): Uint8Array;
}
/** The kinds of a list of the schema, by name and number. */
export declare class PayloadCodecs {
    #private;
    /** `of`: what the list has, for people: "event", "command" or "message". */
    constructor(list: readonly PayloadKind[], kinds: readonly Kind[], of: string);
    get all(): readonly PayloadCodec[];
    at(number: number): PayloadCodec | undefined;
    /** Throws a TypeError that says which there are. */
    named(name: string): PayloadCodec;
    /** The kind and the object of a command's or a message's payload, which begins with the number of its kind. */
    readPrefixed(payload: Uint8Array): {
        name: string;
        value: object;
    } | undefined;
    /** The payload of a command or message. */
    writePrefixed(name: string, given: unknown): Uint8Array;
}
