// The protocol of the game haunted-house, written by `tickwire types`. Do not edit.

import type { Protocol } from "@tickwire/client";

/** An entity of the kind old_ghost, as the screen shows it. */
export interface OldGhost {
  /** In units. */
  readonly x: number;
  /** In units. */
  readonly y: number;
  readonly velocity: {
    /** In units. */
    readonly x: number;
    /** In units. */
    readonly y: number;
  };
  /** In radians. */
  readonly heading: number;
  readonly seen: boolean;
  readonly mood: "calm" | "verySad";
  readonly keys: {
    readonly red: boolean;
    readonly darkBlue: boolean;
  };
  /** A player's number; 0: nobody. */
  readonly host: number;
  /** The id of an entity of the kind old_ghost. */
  readonly prey: number | undefined;
  readonly bars: readonly [number, number];
  readonly jumps: number;
  /** In ticks. Only of the player's own. */
  readonly breath: number | undefined;
  readonly nickName: string;
}

/** What a player wants in one tick. */
export interface HauntedHouseInput {
  /** -1 to 1. */
  dx: number;
  dash: boolean;
  aim: {
    /** -2 to 2. */
    x: number;
    /** -2 to 2. */
    y: number;
  };
  /** In radians. */
  heading: number;
}

export interface HauntedHouseEvents {
  bump: { readonly payload: Uint8Array };
  nightFall: Record<string, never>;
  hit: {
    /** A player's number; 0: nobody. */
    readonly who: number;
    readonly at: {
      readonly x: number;
      readonly y: number;
    };
    readonly cry: string;
    readonly sound: Uint8Array;
  };
}

export interface HauntedHouseCommands {
  sell: Record<string, never>;
  buy: {
    item: "hat" | "coat";
    count: number;
  };
}

export interface HauntedHouseMessages {
  youAreIt: {
    readonly line: string;
  };
}

/** The types of the game haunted-house. */
export interface HauntedHouse {
  input: HauntedHouseInput;
  kinds: {
    oldGhost: OldGhost;
  };
  events: HauntedHouseEvents;
  commands: HauntedHouseCommands;
  messages: HauntedHouseMessages;
}

/** The first argument of `join`. */
export const hauntedHouse: Protocol<HauntedHouse> = {
  game: "haunted-house",
  shape: {
    input: { dx: "number", dash: "boolean", "aim.x": "number", "aim.y": "number", heading: "number" },
    kinds: {
      oldGhost: { x: "number", y: "number", "velocity.x": "number", "velocity.y": "number", heading: "number", seen: "boolean", mood: "\"calm\" | \"verySad\"", "keys.red": "boolean", "keys.darkBlue": "boolean", host: "player", prey: "id", "bars.0": "number", "bars.1": "number", jumps: "number", breath: "private number", nickName: "text" },
    },
    events: {
      bump: { "": "raw" },
      nightFall: {},
      hit: { who: "player", "at.x": "number", "at.y": "number", cry: "text", sound: "bytes" },
    },
    commands: {
      sell: {},
      buy: { item: "\"hat\" | \"coat\"", count: "number" },
    },
    messages: {
      youAreIt: { line: "text" },
    },
  },
};
