// The schema of a game: its kinds of entities and events, known once the session has joined.

import type { WasmClient } from "../wasm/tickwire.js";

/** One kind of entity. */
export interface Kind {
  readonly name: string;
  /** Index in {@link Schema.kinds}. */
  readonly number: number;
  /** Names of the public lanes: integers, in the game's own units. */
  readonly lanes: readonly string[];
  /** Names of the private lanes, which only an entity's owner gets. */
  readonly privateLanes: readonly string[];
  readonly texts: readonly string[];
  /** Whether the first two lanes are x and y. */
  readonly isPlaced: boolean;
}

export interface Schema {
  readonly kinds: readonly Kind[];
  /** Names of the kinds of event. */
  readonly events: readonly string[];
}

/** @internal */
export const NO_SCHEMA: Schema = { kinds: [], events: [] };

/** @internal */
export function schemaOf(core: WasmClient): Schema {
  const kinds = list((number) => core.kind_name(number)).map((name, number) => ({
    name,
    number,
    lanes: list((lane) => core.lane_name(number, lane)),
    privateLanes: list((lane) => core.private_lane_name(number, lane)),
    texts: list((text) => core.text_name(number, text)),
    isPlaced: core.kind_is_placed(number),
  }));
  return { kinds, events: list((event) => core.event_kind_name(event)) };
}

/** All names, up to the first number without one. */
function list(nameOf: (number: number) => string | undefined): string[] {
  const names: string[] = [];
  for (;;) {
    const name = nameOf(names.length);
    if (name === undefined) return names;
    names.push(name);
  }
}
