// What the overlay knows of a session beside what every page reads: lists of numbers of the core.
//
// In: numbers of the core (`client/src/wasm/exports/debug.rs` says which). Out: objects. Changes nothing but what is recorded.

import { CoreBytes } from "../core-client.js";
import type { InputField, Schema } from "../schema.js";
import type { Session } from "../session.js";

export interface Counters {
  /** Inputs made. */
  readonly inputs: number;
  /** Ticks for which the server had no input of this player: it repeated the one before. */
  readonly missedInputs: number;
  readonly snapshots: number;
  readonly reconnects: number;
}

/** The interest grid, in lane units, and what of it the client holds. */
export interface World {
  readonly origin: readonly [number, number];
  readonly cellSize: number;
  readonly columns: number;
  readonly rows: number;
  /** Of each kind, whether it has a position. */
  readonly isPlaced: readonly boolean[];
  /** The cells of the view: column and row (undefined: the global cell), layer, and the tick that each is at. */
  readonly cells: readonly { readonly square: readonly [number, number] | undefined; readonly layer: number; readonly tick: number }[];
}

/** By the core's `CorrectionCause`. */
export const CAUSES = [
  "the server moved it otherwise: the game did so beside the rules, or its rules differ",
  "an input came too late: the server had none for the tick",
  "the rules looked at others that were not known for the tick",
  "others were not where they were expected: replayed",
] as const;

/** The cause that a developer can do something about. */
export const SERVER_STATE = 0;

export interface Correction {
  readonly tick: number;
  readonly kind: number;
  readonly slot: number;
  /** One of {@link CAUSES}. */
  readonly cause: number;
  /** How far the newest position moved, in lane units. */
  readonly moved: number;
  /** The integers of the tick's input. */
  readonly input: readonly number[];
  /** All lanes, the public ones before the private ones. */
  readonly predicted: readonly number[];
  readonly corrected: readonly number[];
}

export class Probe {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  #ask(topic: CoreBytes): Float64Array {
    return new Float64Array(this.#session.core.bytes(topic).buffer);
  }

  counters(): Counters {
    const [inputs = 0, missedInputs = 0, snapshots = 0, reconnects = 0] = this.#ask(CoreBytes.DebugCounters);
    return { inputs, missedInputs, snapshots, reconnects };
  }

  /** Undefined before the first `Welcome`. */
  world(): World | undefined {
    const words = this.#ask(CoreBytes.DebugWorld);
    if (words.length === 0) return undefined;
    const [x = 0, y = 0, cellSize = 1, columns = 1, rows = 1, , kinds = 0] = words;
    const isPlaced = Array.from(words.subarray(7, 7 + kinds), (placed) => placed !== 0);
    const cells: World["cells"][number][] = [];
    for (let at = 7 + kinds; at < words.length; at += 2) {
      const square = (words[at] as number) - 1;
      const inLayer = square % (columns * rows);
      cells.push({
        square: square < 0 ? undefined : [inLayer % columns, Math.floor(inLayer / columns)],
        layer: Math.max(0, Math.floor(square / (columns * rows))),
        tick: words[at + 1] as number,
      });
    }
    return { origin: [x, y], cellSize, columns, rows, isPlaced, cells };
  }

  /** Whether corrections are recorded, for {@link Probe.takeCorrections}. */
  set isRecording(isRecording: boolean) {
    this.#ask(isRecording ? CoreBytes.DebugRecord : CoreBytes.DebugStop);
  }

  /** Corrections since the last call, of the latest 64. */
  takeCorrections({ kinds, input }: Schema): Correction[] {
    const words = [...this.#ask(CoreBytes.DebugCorrections)];
    const corrections: Correction[] = [];
    while (words.length > 0) {
      const [tick = 0, kind = 0, slot = 0, , cause = 0, moved = 0, length = 0] = words.splice(0, 7);
      const payload = words.splice(0, length);
      const lanes = (kinds[kind]?.lanes.length ?? 0) + (kinds[kind]?.private_lanes.length ?? 0);
      corrections.push({ tick, kind, slot, cause, moved, input: integersOf(payload, input), predicted: words.splice(0, lanes), corrected: words.splice(0, lanes) });
    }
    return corrections;
  }
}

/** The integers of an input's payload: bits, field after field, from the lowest bit of the first byte. */
export function integersOf(payload: readonly number[], fields: readonly InputField[]): number[] {
  let at = 0;
  return fields.map(({ bits, min }) => {
    let value = 0;
    for (let bit = 0; bit < bits; bit++, at++) {
      if ((payload[at >> 3] ?? 0) & (1 << (at & 7))) value |= 1 << bit;
    }
    // Two's complement, of fields that can be negative.
    return min < 0 && bits < 32 ? (value << (32 - bits)) >> (32 - bits) : value;
  });
}
