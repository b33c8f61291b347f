// Integers of the wire as values of JavaScript, by what the schema says that they stand for.
//
// In: the lanes of a kind, or the fields of an input or a payload. Out: one leaf for each value that a page sees, with its path, its
// type, and both conversions. A leaf has one or two words. Knows neither memory nor bytes.

import { Meaning, type Kind, type ValueType } from "./schema.js";

/** A value that a page reads or gives. */
export interface Leaf {
  /** Names from the outside in, such as `["aim", "x"]`. */
  readonly path: readonly string[];
  /** The type, as `tickwire types` writes it: `number`, `boolean`, `player`, `id`, `text`, `bytes`, or the names of a choice. */
  readonly type: string;
  /** Whether a payload may leave it out. */
  readonly isOptional?: boolean;
  /** The index of its first word. */
  readonly at: number;
  /** The value of its words. */
  readonly read: (words: ArrayLike<number>) => unknown;
  /** The words of a value. Throws a TypeError or a RangeError that names the field and says what is possible. */
  readonly write: (value: unknown, words: number[]) => void;
}

/** One integer, as the schema describes it. */
export interface Integer {
  readonly name: string;
  /** How many steps make a turn, of an angle. */
  readonly modulus?: number;
  readonly min?: number;
  readonly max?: number;
  readonly value?: ValueType;
}

const TURN = 2 * Math.PI;
const MIN = -(2 ** 31);
const PLAIN: ValueType = { meaning: Meaning.Integer, steps: 0, names: [] };

/** A name of the schema as JavaScript spells it: `you_are_it` is `youAreIt`. */
export const camelCase = (name: string): string => name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

export const pathOf = (name: string): string[] => camelCase(name).split(".");

/** Kind, slot and generation of an entity in one number that no other entity of the room has. Exact below 2^53. */
export const entityId = (kind: number, slot: number, generation: number): number => ((generation >>> 0) % 2 ** 21) * 2 ** 32 + kind * 2 ** 24 + (slot & 0xffffff);
export const kindOf = (id: number): number => Math.floor(id / 2 ** 24) % 256;
export const slotOf = (id: number): number => id % 2 ** 24;

/** The leaves of integers that lie one after the other from word `first` on. `kinds`: for references to entities. */
export function leavesOf(integers: readonly Integer[], kinds: readonly Kind[], first = 0): Leaf[] {
  return integers.flatMap((integer, index) => leavesOfOne(integer, kinds, first + index));
}

function leavesOfOne(integer: Integer, kinds: readonly Kind[], at: number): Leaf[] {
  const { name, value = PLAIN } = integer;
  const { meaning, steps, names } = value;
  // Only the fields of inputs have bounds of their own.
  const { min = meaning === Meaning.Unsigned ? 0 : MIN, max = min + 2 ** 32 - 1 } = integer;
  const path = pathOf(name);
  const number = (scale: number, of: string): Leaf => ({
    path,
    type: "number",
    at,
    read: (words) => (words[at] as number) / scale,
    write(given, words) {
      const [least, most] = [min / scale, max / scale];
      if (typeof given !== "number") throw wrongType(name, given, `a number${of}`);
      // A number between two steps is the nearer one. NaN is refused here too.
      const step = Math.round(given * scale);
      if (!(step >= min && step <= max)) throw new RangeError(`${name} is ${given}; possible are ${least} to ${most}${of}`);
      words[at] = step;
    },
  });
  switch (meaning) {
    case Meaning.Boolean:
      return [flag(path, name, at, 1)];
    case Meaning.Flags:
      return names.map((one, bit) => ({ ...flag([...path, camelCase(one)], `${name}.${one}`, at, 1 << bit), isOptional: true }));
    case Meaning.Fixed:
      return [number(steps || 1, "")];
    case Meaning.Angle: {
      const turn = integer.modulus || max + 1;
      const angle = number(turn / TURN, " radians");
      const write: Leaf["write"] = (given, words) => {
        if (typeof given !== "number" || !Number.isFinite(given)) throw wrongType(name, given, "an angle in radians");
        const step = Math.round((given / TURN) * turn) % turn;
        words[at] = step < 0 ? step + turn : step + 0;
      };
      return [{ ...angle, write }];
    }
    case Meaning.Choice: {
      const spelt = names.map(camelCase);
      const all = spelt.map((one) => JSON.stringify(one)).join(" | ");
      return [
        {
          path,
          type: all,
          at,
          read: (words) => spelt[words[at] as number] ?? spelt[0],
          write(given, words) {
            const choice = spelt.indexOf(given as string);
            if (choice < 0) throw new RangeError(`${name} is ${shown(given)}; possible are ${all}`);
            words[at] = choice;
          },
        },
      ];
    }
    case Meaning.Unsigned:
      return [{ ...number(1, ""), read: (words) => (words[at] as number) >>> 0 }];
    case Meaning.Player:
      return [{ ...number(1, ""), type: "player" }];
    case Meaning.EntityGeneration:
      // Part of the reference whose slot comes before it.
      return [];
    case Meaning.EntitySlot: {
      const kind = kinds.findIndex((one) => one.name === names[0]);
      return [
        {
          path: path.slice(0, -1),
          type: "id",
          isOptional: true,
          at,
          read: (words) => (words[at + 1] === 0 ? undefined : entityId(kind, words[at] as number, words[at + 1] as number)),
          write(given, words) {
            if (given !== undefined && (typeof given !== "number" || kindOf(given) !== kind)) {
              throw wrongType(name.replace(/\.slot$/, ""), given, `the id of a ${names[0]}, or undefined`);
            }
            words[at] = given === undefined ? 0 : slotOf(given);
            words[at + 1] = given === undefined ? 0 : Math.floor(given / 2 ** 32);
          },
        },
      ];
    }
    default:
      return [number(1, "")];
  }
}

function flag(path: readonly string[], name: string, at: number, mask: number): Leaf {
  return {
    path,
    type: "boolean",
    at,
    read: (words) => ((words[at] as number) & mask) !== 0,
    write(given, words) {
      if (typeof given !== "boolean") throw wrongType(name, given, "true or false");
      words[at] = given ? (words[at] as number) | mask : (words[at] as number) & ~mask;
    },
  };
}

export function wrongType(name: string, given: unknown, wanted: string): TypeError {
  return new TypeError(`${name} is ${shown(given)}; it must be ${wanted}`);
}

/** A value of an untyped script, for a sentence. */
export function shown(given: unknown): string {
  if (typeof given === "string") return JSON.stringify(given.slice(0, 40));
  if (typeof given === "object" && given !== null) return Array.isArray(given) ? "an array" : "an object";
  return typeof given === "function" ? "a function" : String(given);
}

/** Leaves by their first names. Those that share it are a list, without that name. */
export function treeOf<T extends { readonly path: readonly string[] }>(leaves: readonly T[]): Map<string, T | T[]> {
  const tree = new Map<string, T | T[]>();
  for (const leaf of leaves) {
    const [name = "", ...rest] = leaf.path;
    if (rest.length === 0) tree.set(name, leaf);
    else {
      const branch = tree.get(name);
      const inner = { ...leaf, path: rest };
      if (Array.isArray(branch)) branch.push(inner);
      else tree.set(name, [inner]);
    }
  }
  return tree;
}

/** Writes the members of a page's object into `words`. Throws for members that there are not. `of`: what the object is, for people. */
export function writeMembers(leaves: readonly Leaf[], given: unknown, words: number[], of: string): void {
  if (typeof given !== "object" || given === null) throw wrongType(of, given, "an object");
  const tree = treeOf(leaves);
  for (const [name, value] of Object.entries(given)) {
    const found = tree.get(name);
    if (found === undefined) {
      const names = [...tree.keys()];
      throw new TypeError(`${of} has no ${shown(name)}; it has ${names.join(", ") || "none"}`);
    }
    if (Array.isArray(found)) writeMembers(found, value, words, `${of}.${name}`);
    else if (value !== undefined || found.type === "id") found.write(value, words);
  }
}

/** An object with the values of leaves. Members named 0, 1, 2… make an array. */
export function readMembers<T extends { readonly path: readonly string[] }>(leaves: readonly T[], valueOf: (leaf: T) => unknown): object {
  const tree = treeOf(leaves);
  const values: Record<string, unknown> = tree.has("0") ? ([] as unknown as Record<string, unknown>) : {};
  for (const [name, leaf] of tree) values[name] = Array.isArray(leaf) ? readMembers(leaf, valueOf) : valueOf(leaf);
  return values;
}
