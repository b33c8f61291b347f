// What the screen shows of any game at one moment: rows, a little in the past and blended between two snapshots.
//
// In: the core's flat list of a kind's rows. Out: one row after the other, through one object.

import type { WasmClient } from "../wasm/tickwire.js";
import type { Kind, Schema } from "./schema.js";

/** Slot and generation, before the lanes. */
const HEAD = 2;

/** @internal The texts that rows have, each fetched from the core once. */
export class Texts {
  readonly #core: WasmClient;
  readonly #texts = new Map<number, string>();
  #from = 0;

  constructor(core: WasmClient) {
    this.#core = core;
  }

  /** Forgets what the core has forgotten; for each new frame. */
  begin(): void {
    const from = this.#core.texts_from;
    if (from === this.#from) return;
    this.#from = from;
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

/** One entity as the screen shows it. {@link Frame.forEachRow} shows all rows through one object: take out of it what is to be kept. */
export class Row {
  readonly kind: Kind;
  readonly #numbers: Int32Array;
  readonly #texts: Texts;
  #at = 0;

  /** @internal */
  constructor(kind: Kind, numbers: Int32Array, texts: Texts) {
    this.kind = kind;
    this.#numbers = numbers;
    this.#texts = texts;
  }

  /** @internal Goes to the row that begins there. */
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

  /** Another one in the same slot is another entity. */
  get generation(): number {
    return (this.#numbers[this.#at + 1] ?? 0) >>> 0;
  }

  /** Of a placed kind, in the game's own units. */
  get x(): number {
    return this.kind.isPlaced ? this.lane(0) : NaN;
  }

  /** Of a placed kind, in the game's own units. */
  get y(): number {
    return this.kind.isPlaced ? this.lane(1) : NaN;
  }

  /** A lane by its place or its name. Continuous lanes are blended, others jump. */
  lane(lane: number | string): number {
    return this.#numbers[this.#at + HEAD + place(this.kind, "lanes", lane)] ?? 0;
  }

  /** A text by its place or its name. Empty in the last moment of an entity: the newest snapshot does not have it, and the screen is not there yet. */
  text(text: number | string): string {
    const number = this.#numbers[this.#at + HEAD + this.kind.lanes.length + place(this.kind, "texts", text)] ?? -1;
    return number < 0 ? "" : this.#texts.get(number);
  }
}

/** The screen at one moment. Good until the next `look`. */
export class Frame {
  /** The shown moment, in ticks: an event is to be seen when this has come to its `tick`. */
  readonly tick: number;
  readonly #core: WasmClient;
  readonly #schema: Schema;
  readonly #texts: Texts;

  /** @internal */
  constructor(core: WasmClient, schema: Schema, texts: Texts) {
    this.tick = core.shown_ticks;
    this.#core = core;
    this.#schema = schema;
    this.#texts = texts;
  }

  /**
   * Calls `show` for each entity of a kind, with one object that is used again and again. Shows nothing
   * before the session has joined. The own entity is among them, as old as all others: only the arena is predicted.
   */
  forEachRow(kind: string, show: (row: Row) => void): void {
    const { kinds } = this.#schema;
    const found = kinds.find(({ name }) => name === kind);
    if (!found) {
      if (kinds.length === 0) return;
      throw new RangeError(`this game has no kind ${kind}; it has ${kinds.map(({ name }) => name).join(", ")}`);
    }
    const numbers = this.#core.rows(found.number);
    const row = new Row(found, numbers, this.#texts);
    const stride = HEAD + found.lanes.length + found.texts.length;
    for (let at = 0; at < numbers.length; at += stride) show(row.goTo(at));
  }
}

function place(kind: Kind, list: "lanes" | "texts", wanted: number | string): number {
  const names = kind[list];
  const at = typeof wanted === "string" ? names.indexOf(wanted) : wanted;
  if (names[at] === undefined) throw new RangeError(`${kind.name} has no ${wanted} among its ${list}: ${names.join(", ")}`);
  return at;
}
