/** What an integer stands for: the meanings of `ValueType`. */
export declare const Meaning: {
    readonly Integer: 0;
    readonly Boolean: 1;
    readonly Fixed: 2;
    readonly Angle: 3;
    readonly Choice: 4;
    readonly Flags: 5;
    readonly Player: 6;
    readonly EntitySlot: 7;
    readonly EntityGeneration: 8;
    readonly Teleports: 9;
};
/** How a field of a payload is encoded. */
export declare const Encoding: {
    readonly Integer: 0;
    readonly Text: 1;
    readonly Bytes: 2;
    readonly Fixed: 3;
};
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
