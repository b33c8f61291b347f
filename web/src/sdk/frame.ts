// What is drawn in one frame: the core's flat lists of numbers, read in place.
//
// A view is good until the core is called again: its memory may move when it grows.

import type { WasmClient } from "../wasm/tickwire.js";

/** Bits of the buttons that are down. */
export const Button = { Up: 1, Down: 2, Left: 4, Right: 8, Fire: 16 } as const;

export const EntityKind = { Ship: 0, Pellet: 1 } as const;

export const EffectKind = { Beam: 0, Hit: 1, Burst: 2 } as const;

export interface Entity {
  kind: number;
  slot: number;
  generation: number;
  x: number;
  y: number;
  /** In radians, clockwise from +x with y pointing down. */
  heading: number;
  /** A ship's health, a pellet's worth. */
  value: number;
  /** Slot of the player that a ship belongs to; -1: none. */
  player: number;
}

export interface Effect {
  kind: number;
  x0: number;
  y0: number;
  x1: number;
  y1: number;
  /** Slot of the player that it belongs to; -1: unknown. */
  player: number;
  isOwn: boolean;
  endsAtShip: boolean;
  endsAtOwn: boolean;
}

export class Frame {
  /** What the camera looks at; undefined: nothing new. */
  readonly focus: { x: number; y: number } | undefined;
  /** Which entity is the own ship. */
  readonly ownIndex: number | undefined;
  readonly #entities: Float32Array;
  readonly #effects: Float32Array;
  readonly #stride: number;

  constructor(core: WasmClient, memory: WebAssembly.Memory) {
    const [x, y] = [core.focus_x, core.focus_y];
    this.focus = x !== undefined && y !== undefined ? { x, y } : undefined;
    this.ownIndex = core.own_index;
    this.#stride = core.stride;
    this.#entities = new Float32Array(memory.buffer, core.entities_at, core.entities_len);
    this.#effects = new Float32Array(memory.buffer, core.effects_at, core.effects_len);
  }

  get own(): Entity | undefined {
    return this.ownIndex === undefined ? undefined : this.#entity(this.ownIndex, { ...EMPTY });
  }

  /** Calls `draw` for each entity, with one object that is used again and again. */
  forEachEntity(draw: (entity: Entity, index: number) => void): void {
    const entity = { ...EMPTY };
    const count = this.#entities.length / this.#stride;
    for (let index = 0; index < count; index++) draw(this.#entity(index, entity), index);
  }

  forEachEffect(show: (effect: Effect) => void): void {
    const numbers = this.#effects;
    for (let at = 0; at < numbers.length; at += this.#stride) {
      const flags = numbers[at + 6] ?? 0;
      show({
        kind: numbers[at] ?? 0,
        x0: numbers[at + 1] ?? 0,
        y0: numbers[at + 2] ?? 0,
        x1: numbers[at + 3] ?? 0,
        y1: numbers[at + 4] ?? 0,
        player: numbers[at + 5] ?? -1,
        isOwn: (flags & 1) !== 0,
        endsAtShip: (flags & 2) !== 0,
        endsAtOwn: (flags & 4) !== 0,
      });
    }
  }

  #entity(index: number, into: Entity): Entity {
    const at = index * this.#stride;
    const numbers = this.#entities;
    into.kind = numbers[at] ?? 0;
    into.slot = numbers[at + 1] ?? 0;
    into.generation = numbers[at + 2] ?? 0;
    into.x = numbers[at + 3] ?? 0;
    into.y = numbers[at + 4] ?? 0;
    into.heading = numbers[at + 5] ?? 0;
    into.value = numbers[at + 6] ?? 0;
    into.player = numbers[at + 7] ?? -1;
    return into;
  }
}

const EMPTY: Entity = { kind: 0, slot: 0, generation: 0, x: 0, y: 0, heading: 0, value: 0, player: -1 };
