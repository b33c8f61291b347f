// The rows of any game as the screen shows them: others a little in the past, interpolated between two snapshots, the player's own
// entity as predicted.
//
// In: the core's flat list of a kind's rows. Out: one row after the other, through one shared object.

import type { WasmClient } from "../wasm/tickwire.js";
import type { Kind, Schema } from "./schema.js";

/** Slot and generation precede the lanes. */
const HEADER_LENGTH = 2;

/** @internal The texts of rows, each fetched from the core once. */
export class Texts {
  readonly #core: WasmClient;
  readonly #texts = new Map<number, string>();
  #firstNumber = 0;

  constructor(core: WasmClient) {
    this.#core = core;
  }

  /** Drops the texts that the core has dropped. Call it for each new frame. */
  beginFrame(): void {
    const first = this.#core.first_text;
    if (first === this.#firstNumber) return;
    this.#firstNumber = first;
    this.#texts.clear();
  }

  get(number: number): string {
    let text = this.#texts.get(number);
    if (text === undefined) {
      this.#texts.set(number, (text = this.#core.text(number)));
    }
    return text;
  }
}

/** One entity at the frame's view tick. {@link Frame.forEachRow} reuses one object for all rows: copy what is to be kept. */
export class Row {
  readonly kind: Kind;
  readonly #core: WasmClient;
  readonly #numbers: Int32Array;
  readonly #texts: Texts;
  #at = 0;

  /** @internal */
  constructor(core: WasmClient, kind: Kind, numbers: Int32Array, texts: Texts) {
    this.#core = core;
    this.kind = kind;
    this.#numbers = numbers;
    this.#texts = texts;
  }

  /** @internal Moves to the row that begins at this index. */
  goTo(at: number): this {
    this.#at = at;
    return this;
  }

  /** Kind and slot as one number, as in `TickwireClient.playerId`. */
  get id(): number {
    return ((this.kind.number << 24) | this.slot) >>> 0;
  }

  get slot(): number {
    return this.#numbers[this.#at] ?? 0;
  }

  /** How many entities have used the slot, this one included. Another generation in the same slot is another entity. */
  get generation(): number {
    return (this.#numbers[this.#at + 1] ?? 0) >>> 0;
  }

  /** Position of a placed kind, in the game's own units; NaN for other kinds. */
  get x(): number {
    return this.kind.isPlaced ? this.lane(0) : NaN;
  }

  /** Position of a placed kind, in the game's own units; NaN for other kinds. */
  get y(): number {
    return this.kind.isPlaced ? this.lane(1) : NaN;
  }

  /** A lane by index or name. Continuous lanes are interpolated, others jump. */
  lane(lane: number | string): number {
    return this.#numbers[this.#at + HEADER_LENGTH + indexOf(this.kind, "lanes", lane)] ?? 0;
  }

  /**
   * A private lane by index or name: only of an entity of the player's own, else undefined. The predicted entity's are as predicted for
   * the newest input.
   */
  private(lane: number | string): number | undefined {
    const at = indexOf(this.kind, "privateLanes", lane);
    return this.#core.private_lanes(this.kind.number, this.slot, this.generation)?.[at];
  }

  /** A text by index or name. Empty while an entity is shown that the newest snapshot no longer has. */
  text(text: number | string): string {
    const number = this.#numbers[this.#at + HEADER_LENGTH + this.kind.lanes.length + indexOf(this.kind, "texts", text)] ?? -1;
    return number < 0 ? "" : this.#texts.get(number);
  }
}

/** The world at one view tick. Valid until the next `sample`. */
export class Frame {
  /** The view tick, with its fraction. Show an event when this has reached the event's `tick`. */
  readonly tick: number;
  readonly #core: WasmClient;
  readonly #schema: Schema;
  readonly #texts: Texts;

  /** @internal */
  constructor(core: WasmClient, schema: Schema, texts: Texts) {
    this.tick = core.view_tick;
    this.#core = core;
    this.#schema = schema;
    this.#texts = texts;
  }

  /**
   * Calls `show` for each entity of a kind. All calls share one object. Shows nothing before the session has joined. The player's own
   * entity is among them, as predicted (`TickwireClient.isPredicting`).
   */
  forEachRow(kind: string, show: (row: Row) => void): void {
    const { kinds } = this.#schema;
    const found = kinds.find(({ name }) => name === kind);
    if (!found) {
      if (kinds.length === 0) return;
      throw new RangeError(`this game has no kind ${kind}; it has ${kinds.map(({ name }) => name).join(", ")}`);
    }
    const numbers = this.#core.rows(found.number);
    const row = new Row(this.#core, found, numbers, this.#texts);
    const stride = HEADER_LENGTH + found.lanes.length + found.texts.length;
    for (let at = 0; at < numbers.length; at += stride) show(row.goTo(at));
  }
}

function indexOf(kind: Kind, list: "lanes" | "privateLanes" | "texts", wanted: number | string): number {
  const names = kind[list];
  const at = typeof wanted === "string" ? names.indexOf(wanted) : wanted;
  if (names[at] === undefined) throw new RangeError(`${kind.name} has no ${wanted} among its ${list === "privateLanes" ? "private lanes" : list}: ${names.join(", ")}`);
  return at;
}
