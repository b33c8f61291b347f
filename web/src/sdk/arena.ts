// The arena, a layer above the session: its controls, its frame with the player's own ship as predicted, its rocks, players and kills.
//
// In: buttons and an aim. Out: entities and effects, read in place from the core's lists of numbers, in the arena's units.
// Needs a room that plays the arena. A session serves any game without this layer.

import { WasmClient } from "../wasm/tickwire.js";
import { internalsOf, type TickwireClient } from "./client.js";
import { Emitter } from "./emitter.js";

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
  /** Slot of the player that caused it; -1: unknown. */
  player: number;
  isOwn: boolean;
  endsAtShip: boolean;
  endsAtOwn: boolean;
}

/** One line of the score board. */
export interface PlayerRow {
  slot: number;
  name: string;
  score: number;
  kills: number;
  deaths: number;
  /** The session's number; 0: a computer player. */
  session: number;
}

export interface ArenaEvents {
  kill: { killer: string; victim: string; killerSlot: number; victimSlot: number };
}

export class Arena extends Emitter<ArenaEvents> {
  static readonly GAME = "arena";
  readonly #client: TickwireClient;
  readonly #core: WasmClient;
  readonly #memory: WebAssembly.Memory;
  readonly #names = new Map<number, { generation: number; name: string }>();

  /** From now on {@link control} makes the session's inputs. */
  constructor(client: TickwireClient) {
    super();
    this.#client = client;
    ({ core: this.#core, memory: this.#memory } = internalsOf(client));
    this.#core.set_buttons(0);
    client.on("joined", () => this.#names.clear());
    client.on("event", ({ kind, payload }) => {
      if (kind === "kill" && client.game === Arena.GAME) this.#emitKill(payload);
    });
  }

  #emitKill(payload: Uint8Array): void {
    const [killerSlot, victimSlot] = WasmClient.decode_kill(payload);
    if (killerSlot === undefined || victimSlot === undefined) return;
    const nameOf = (slot: number) => this.#core.player_name(slot) ?? "";
    this.emit("kill", { killer: nameOf(killerSlot), victim: nameOf(victimSlot), killerSlot, victimSlot });
  }

  /**
   * Sets the buttons that are down (`Button`), and the point to aim at, relative to the player's own ship; only its direction counts.
   * An undefined aim leaves the aim as it is. A button released before the next tick still is in that tick's input.
   */
  control(buttons: number, aim: { x: number; y: number } | undefined): void {
    this.#core.set_buttons(buttons);
    if (aim) this.#core.set_aim(aim.x, aim.y);
  }

  /** The arena to draw now, the player's own ship as predicted. The frame is valid until the next call of this object or of the client. */
  sample(): ArenaFrame {
    this.#client.sample();
    this.#core.sample_arena();
    return new ArenaFrame(this.#core, this.#memory);
  }

  /** x, y and radius of each rock, in units. */
  rocks(): Float32Array {
    return this.#core.rocks();
  }

  /** All players, highest score first. */
  players(): PlayerRow[] {
    const numbers = this.#core.players();
    const rows: PlayerRow[] = [];
    for (let at = 0; at + 6 <= numbers.length; at += 6) {
      const [slot = 0, generation = 0, score = 0, kills = 0, deaths = 0, session = 0] = numbers.subarray(at, at + 6);
      rows.push({ slot, name: this.#nameOf(slot, generation), score, kills, deaths, session });
    }
    return rows;
  }

  /** Caches names: strings are the only costly thing to fetch from the core. */
  #nameOf(slot: number, generation: number): string {
    const known = this.#names.get(slot);
    if (known?.generation === generation) return known.name;
    const name = this.#core.player_name(slot) ?? "";
    this.#names.set(slot, { generation, name });
    return name;
  }
}

/** The entities and effects of one frame. Its memory may move with the next call of the core. */
export class ArenaFrame {
  /** The point for the camera to follow; undefined: none in this frame. */
  readonly focus: { x: number; y: number } | undefined;
  /** Index of the player's own ship among the entities. */
  readonly ownIndex: number | undefined;
  readonly #entities: Float32Array;
  readonly #effects: Float32Array;
  readonly #stride: number;

  /** @internal */
  constructor(core: WasmClient, memory: WebAssembly.Memory) {
    const [x, y] = [core.focus_x, core.focus_y];
    this.focus = x !== undefined && y !== undefined ? { x, y } : undefined;
    this.ownIndex = core.own_index;
    this.#stride = core.stride;
    this.#entities = new Float32Array(memory.buffer, core.entities_ptr, core.entities_len);
    this.#effects = new Float32Array(memory.buffer, core.effects_ptr, core.effects_len);
  }

  /** The player's own ship. */
  get own(): Entity | undefined {
    return this.ownIndex === undefined ? undefined : this.#entity(this.ownIndex, { ...EMPTY });
  }

  /** Calls `draw` for each entity. All calls share one object. */
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
