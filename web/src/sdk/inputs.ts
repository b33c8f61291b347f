// A game's inputs: what a page wants, as a payload.
//
// In: the fields that differ from the neutral input. Out: bits, field after field, from the lowest bit of the first byte. Refuses
// whatever the game would read differently from what the page means.

import type { Schema } from "./schema.js";
import { leavesOf, writeMembers, type Leaf } from "./values.js";

export class InputCodec {
  readonly leaves: readonly Leaf[];
  readonly #fields: Schema["input"];

  constructor({ input, kinds }: Pick<Schema, "input" | "kinds">) {
    this.#fields = input;
    this.leaves = leavesOf(input, kinds);
  }

  /** Whether the schema describes inputs. Otherwise the game has an encoding of its own. */
  get isDescribed(): boolean {
    return this.#fields.length > 0;
  }

  /** The integers of an input with these fields. Fields left out are as in `base`; without a base they are neutral. */
  words(given: object, base?: readonly number[]): number[] {
    const words = base ? [...base] : this.#fields.map(() => 0);
    writeMembers(this.leaves, given, words, "the input");
    this.#fields.forEach(({ name, min, max }, at) => {
      // A choice, a flag or a reference that a narrower range excludes.
      const word = words[at] as number;
      if (word < min || word > max) throw new RangeError(`${name} is ${word}; possible are ${min} to ${max}`);
    });
    return words;
  }

  /** The payload of an input's integers. */
  payload(words: readonly number[]): Uint8Array {
    const bytes: number[] = [];
    let [byte, used] = [0, 0];
    this.#fields.forEach(({ bits }, at) => {
      let word = words[at] as number;
      for (let left = bits; left > 0; ) {
        const count = Math.min(left, 8 - used);
        byte |= (word & ((1 << count) - 1)) << used;
        // Arithmetic: two's complement goes on with its sign, of which only `bits` bits are taken.
        word >>= count;
        used += count;
        left -= count;
        if (used === 8) {
          bytes.push(byte);
          [byte, used] = [0, 0];
        }
      }
    });
    bytes.push(byte);
    while (bytes.at(-1) === 0) bytes.pop();
    return Uint8Array.from(bytes);
  }
}
