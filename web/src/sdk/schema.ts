// The schema of a room's game, as the core gives it: what there is, and how inputs, events, commands and messages read.
//
// The names of the members are those of docs/PROTOCOL.md. The numbers of enums are those of the protocol.

/** What an integer stands for: the meanings of `ValueType`. */
export const enum Meaning {
  Integer,
  Boolean,
  Fixed,
  Angle,
  Choice,
  Flags,
  Player,
  EntitySlot,
  EntityGeneration,
  Teleports,
  Unsigned,
}

/** How a field of a payload is encoded. */
export const enum Encoding {
  Integer,
  Text,
  Bytes,
  Fixed,
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
