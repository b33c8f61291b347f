/** What an integer stands for: the meanings of `ValueType`. */
export declare const enum Meaning {
    Integer = 0,
    Boolean = 1,
    Fixed = 2,
    Angle = 3,
    Choice = 4,
    Flags = 5,
    Player = 6,
    EntitySlot = 7,
    EntityGeneration = 8,
    Teleports = 9,
    Unsigned = 10
}
/** How a field of a payload is encoded. */
export declare const enum Encoding {
    Integer = 0,
    Text = 1,
    Bytes = 2,
    Fixed = 3
}
export interface ValueType {
    readonly meaning: number;
    readonly steps: number;
    readonly names: readonly string[];
}
export interface Lane {
    readonly name: string;
    readonly unit: string;
    readonly modulus: number;
    readonly value?: ValueType;
}
export interface Kind {
    readonly name: string;
    readonly lanes: readonly Lane[];
    readonly private_lanes: readonly Lane[];
    readonly texts: readonly string[];
}
export interface InputField {
    readonly name: string;
    readonly unit: string;
    readonly bits: number;
    readonly min: number;
    readonly max: number;
    readonly value?: ValueType;
}
export interface Field {
    readonly name: string;
    readonly unit: string;
    readonly encoding: number;
    readonly value?: ValueType;
}
export interface PayloadKind {
    readonly name: string;
    readonly fields: readonly Field[];
    /** Whether `fields` describes the payload; else the game has an encoding of its own. */
    readonly described: boolean;
}
export interface Schema {
    readonly kinds: readonly Kind[];
    readonly events: readonly PayloadKind[];
    readonly input: readonly InputField[];
    readonly commands: readonly PayloadKind[];
    readonly messages: readonly PayloadKind[];
}
