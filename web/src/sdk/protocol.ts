// A game's protocol as `tickwire types` writes it: types for the compiler, and a shape to compare with the room's game.
//
// In: a protocol, and the schema of a room. Out: a sentence that names the first difference. Units, ranges and the order of fields may
// differ: all values are read by the room's own schema.

import { InputCodec } from "./inputs.js";
import { PayloadCodecs } from "./payloads.js";
import type { Schema } from "./schema.js";
import { camelCase, leavesOf, pathOf } from "./values.js";

/** The types of a game. `tickwire types` writes one for each game; without it, everything is checked by the room's schema at run time. */
export interface GameTypes {
  /** What a player wants in one tick. */
  input: object;
  /** What a row of each kind of entity has, by the kind's name. */
  kinds: object;
  /** What each kind of event has, by its name. */
  events: object;
  commands: object;
  messages: object;
}

/** Path and type of each value of each kind. Kinds that the schema does not describe have the type `raw`. */
export type Types = Readonly<Record<string, string>>;

/** What of a schema a protocol depends on. */
export interface Shape {
  readonly input: Types;
  readonly kinds: Readonly<Record<string, Types>>;
  readonly events: Readonly<Record<string, Types>>;
  readonly commands: Readonly<Record<string, Types>>;
  readonly messages: Readonly<Record<string, Types>>;
}

/** A game's protocol: the first argument of `join`. */
export interface Protocol<G extends GameTypes> {
  /** The game's name. */
  readonly game: string;
  readonly shape: Shape;
  /** Only for the compiler; never there. */
  readonly types?: G;
}

/** The types of a game that the compiler does not know. */
export interface AnyGame {
  // biome-ignore lint: an untyped game has any fields
  input: Record<string, any>;
  kinds: Record<string, Record<string, any>>;
  events: Record<string, Record<string, any>>;
  commands: Record<string, any>;
  messages: Record<string, Record<string, any>>;
}

/** @internal The shape of a room's schema. */
export function shapeOf(schema: Schema): Shape {
  const named = (list: readonly (readonly [string, Types])[]) => Object.fromEntries(list);
  const typesOf = (leaves: readonly { path: readonly string[]; type: string }[], prefix = ""): Types => Object.fromEntries(leaves.map(({ path, type }) => [path.join("."), prefix + type]));
  const payloads = (list: Schema["events"], of: string) =>
    named(new PayloadCodecs(list, schema.kinds, of).all.map(({ name, leaves, isDescribed }) => [name, isDescribed ? typesOf(leaves) : { "": "raw" }]));
  return {
    input: typesOf(new InputCodec(schema).leaves),
    kinds: named(
      schema.kinds.map(({ name, lanes, private_lanes, texts }) => [
        camelCase(name),
        {
          ...typesOf(leavesOf(lanes, schema.kinds)),
          ...typesOf(leavesOf(private_lanes, schema.kinds), "private "),
          ...typesOf(texts.map((text) => ({ path: pathOf(text), type: "text" }))),
        },
      ]),
    ),
    events: payloads(schema.events, "event"),
    commands: payloads(schema.commands, "command"),
    messages: payloads(schema.messages, "message"),
  };
}

/** @internal What of a protocol the room's game does not have, as a sentence; undefined if it has everything. */
export function differenceOf({ game, shape }: Protocol<GameTypes>, roomsGame: string, schema: Schema): string | undefined {
  if (game !== roomsGame) return `this page is for the game ${game}, and the room plays ${roomsGame}`;
  const found = shapeOf(schema);
  const of = { kinds: "", events: "event ", commands: "command ", messages: "message " };
  const advice = "write the protocol anew with `tickwire types`";
  const compare = (wanted: Types, has: Types | undefined, name: string): string | undefined => {
    if (!has) return `this page knows ${name}, which the room's game does not have; ${advice}`;
    for (const [path, type] of Object.entries(wanted)) {
      const value = path ? `${name}.${path}` : name;
      if (has[path] === undefined) return `this page knows ${value}, which the room's game does not have; ${advice}`;
      if (has[path] !== type) return `this page takes ${value} for ${type}, and in the room's game it is ${has[path]}; ${advice}`;
    }
    return undefined;
  };
  const inputs = compare(shape.input, found.input, "input");
  if (inputs) return inputs;
  for (const list of ["kinds", "events", "commands", "messages"] as const) {
    for (const [name, types] of Object.entries(shape[list])) {
      const difference = compare(types, found[list][name], of[list] + name);
      if (difference) return difference;
    }
  }
  return undefined;
}
