// The arena, a layer above the session: its controls, its predicted picture, its rocks, players and kills.
//
// In: buttons and where is pointed at. Out: the core's flat lists of numbers, read in place, in the arena's units.
// Everything here needs a room that plays the arena; a session serves any game without it.

import { WasmClient } from "../wasm/tickwire.js";
import { insideOf, type TickwireClient } from "./client.js";
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
  /** Slot of the player that it belongs to; -1: unknown. */
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
    ({ core: this.#core, memory: this.#memory } = insideOf(client));
    this.#core.buttons(0);
    client.on("joined", () => this.#names.clear());
    client.on("event", ({ kind, payload }) => {
      if (kind === "kill" && client.game === Arena.GAME) this.#killed(payload);
    });
  }

  #killed(payload: Uint8Array): void {
    const [killerSlot, victimSlot] = WasmClient.kill_of(payload);
    if (killerSlot === undefined || victimSlot === undefined) return;
    const nameOf = (slot: number) => this.#core.player_name(slot) ?? "";
    this.emit("kill", { killer: nameOf(killerSlot), victim: nameOf(victimSlot), killerSlot, victimSlot });
  }

  /**
   * The buttons that are down (`Button`), and what is pointed at, from the own ship in units (or only its direction); undefined: nothing yet.
   * A button that is up again before a tick has come is in one input all the same.
   */
  control(buttons: number, aim: { x: number; y: number } | undefined): void {
    this.#core.buttons(buttons);
    if (aim) this.#core.aim(aim.x, aim.y);
  }

  /** The arena as it is to be drawn now, the own ship as it is predicted. Good until the next call of this or of the client. */
  look(): ArenaFrame {
    this.#client.look();
    this.#core.look_at_arena();
    return new ArenaFrame(this.#core, this.#memory);
  }

  /** x, y and radius of each rock, in units. */
  rocks(): Float32Array {
    return this.#core.rocks();
  }

  /** All players, the best first. */
  players(): PlayerRow[] {
    const numbers = this.#core.players();
    const rows: PlayerRow[] = [];
    for (let at = 0; at + 6 <= numbers.length; at += 6) {
      const [slot = 0, generation = 0, score = 0, kills = 0, deaths = 0, session = 0] = numbers.subarray(at, at + 6);
      rows.push({ slot, name: this.#nameOf(slot, generation), score, kills, deaths, session });
    }
    return rows;
  }

  /** A name is asked for once: strings are the only costly thing to fetch from the core. */
  #nameOf(slot: number, generation: number): string {
    const known = this.#names.get(slot);
    if (known?.generation === generation) return known.name;
    const name = this.#core.player_name(slot) ?? "";
    this.#names.set(slot, { generation, name });
    return name;
  }
}

/** What is drawn of the arena in one frame. Its memory may move when the core is called again. */
export class ArenaFrame {
  /** What the camera looks at; undefined: nothing new. */
  readonly focus: { x: number; y: number } | undefined;
  /** Which entity is the own ship. */
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
