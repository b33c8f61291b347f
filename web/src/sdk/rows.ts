// The rows of a game as the screen shows them: one object for each entity, as long as it is in view.
//
// In: the core's flat list of words, in its memory. Out: for each kind an array of rows, the same one for every frame. Words are
// copied, so a row never points into memory that has moved. In the steady state a frame allocates nothing: V8 makes an object of
// each number that is stored under a name which is only known at run time, so a row's members are getters over its words.

import type { Kind, Schema } from "./schema.js";
import { camelCase, entityId, kindOf, leavesOf, pathOf, slotOf, treeOf, type Leaf } from "./values.js";

/** Slot, generation and flags precede the lanes. */
const HEADER_WORDS = 3;
const IS_OWN = 1;
const FLAGS = 2;

const WORDS = Symbol("words");
const TEXTS = Symbol("texts");

/** What a row has beside the game's own members. */
export interface RowBase {
  /** The entity's number in the room, as in references to it. No other entity ever has it. */
  readonly id: number;
  /** Whether the entity is the player's own. */
  readonly isOwn: boolean;
}

interface Row extends RowBase {
  readonly [WORDS]: Int32Array | Float64Array;
  readonly [TEXTS]: string[];
}

/** Where the core's list of the latest frame is. */
export interface RowSource {
  readonly words: Int32Array;
  /** Index of the first word in `words`. */
  readonly first: number;
  readonly textOf: (number: number) => string;
  /** Whether numbers of texts that a row has seen may now stand for other texts. */
  readonly areTextsVoid: boolean;
}

/** The rows of all kinds. */
export class Rows {
  readonly #kinds: KindRows[];
  #frame = 0;

  constructor(schema: Schema) {
    this.#kinds = schema.kinds.map((kind, number) => new KindRows(kind, number, schema));
  }

  /** The array of each kind by its name in JavaScript. */
  get arrays(): [string, readonly RowBase[]][] {
    return this.#kinds.map(({ name, shown }) => [name, shown]);
  }

  /** Takes the rows of a frame. */
  update(source: RowSource): void {
    this.#frame = (this.#frame + 1) | 0;
    let at = source.first;
    for (let kind = 0; kind < this.#kinds.length; kind++) at = (this.#kinds[kind] as KindRows).update(source, at, this.#frame);
  }

  /** The row of an entity in view. */
  find(id: number | undefined): RowBase | undefined {
    if (id === undefined) return undefined;
    const row = this.#kinds[kindOf(id)]?.at(slotOf(id));
    return row?.id === id ? row : undefined;
  }

  /** Forgets all rows: the room's tick or its entities began anew. */
  clear(): void {
    for (const kind of this.#kinds) kind.clear();
  }
}

class KindRows {
  readonly name: string;
  /** The rows of the latest frame. */
  readonly shown: Row[] = [];
  readonly #number: number;
  readonly #bySlot = new Map<number, Row>();
  readonly #before: Row[] = [];
  readonly #members: PropertyDescriptorMap;
  readonly #groups: readonly Group[];
  readonly #textCount: number;
  readonly #firstText: number;
  readonly #words: number;

  constructor(kind: Kind, number: number, { kinds }: Schema) {
    const { lanes, private_lanes, texts } = kind;
    this.name = camelCase(kind.name);
    this.#number = number;
    this.#textCount = texts.length;
    this.#firstText = HEADER_WORDS + lanes.length + private_lanes.length;
    this.#words = this.#firstText + texts.length;
    const getters: Getter[] = [
      ...leavesOf(lanes, kinds, HEADER_WORDS).map((leaf) => ({ path: leaf.path, get: getterOf(leaf) })),
      ...leavesOf(private_lanes, kinds, HEADER_WORDS + lanes.length).map((leaf) => ({ path: leaf.path, get: privately(getterOf(leaf)) })),
      ...texts.map((text, index) => ({ path: pathOf(text), get: (row: Words) => row[TEXTS][index] as unknown })),
    ];
    ({ members: this.#members, groups: this.#groups } = membersOf(getters));
  }

  at(slot: number): Row | undefined {
    return this.#bySlot.get(slot);
  }

  clear(): void {
    this.#bySlot.clear();
    this.shown.length = 0;
  }

  /** Takes the rows that begin at word `at`, after their number. Returns where the next kind's begin. */
  update(source: RowSource, at: number, frame: number): number {
    const { words } = source;
    const { shown } = this;
    const before = this.#before;
    const [length, textAt] = [this.#words, this.#firstText];
    const previous = shown.length;
    for (let index = 0; index < previous; index++) before[index] = shown[index] as Row;
    const count = words[at++] as number;
    for (let index = 0; index < count; index++, at += length) {
      const slot = words[at] as number;
      let row = this.#bySlot.get(slot);
      if (row === undefined || row[WORDS][1] !== words[at + 1]) {
        row = this.#create(slot, words[at + 1] as number, words[at + FLAGS] as number);
        this.#bySlot.set(slot, row);
      }
      const own = row[WORDS];
      for (let text = 0; text < this.#textCount; text++) {
        const number = words[at + textAt + text] as number;
        // Of an entity that the newest snapshot no longer has, the texts stay as they were.
        if (number >= 0 && (number !== own[textAt + text] || source.areTextsVoid)) row[TEXTS][text] = source.textOf(number);
      }
      for (let word = 0; word < length; word++) own[word] = words[at + word] as number;
      // The player's own entity moves between the steps of its position: the flags have the fractions of the first two lanes.
      const flags = own[FLAGS] as number;
      if (flags > IS_OWN && own instanceof Float64Array) {
        own[HEADER_WORDS] = (own[HEADER_WORDS] as number) + ((flags << 16) >> 24) / 256;
        own[HEADER_WORDS + 1] = (own[HEADER_WORDS + 1] as number) + ((flags << 8) >> 24) / 256;
      }
      own[length] = frame;
      shown[index] = row;
    }
    if (count < previous) shown.length = count;
    for (let index = 0; index < previous; index++) {
      const row = before[index] as Row;
      const own = row[WORDS];
      if (own[length] !== frame && this.#bySlot.get(own[0] as number) === row) this.#bySlot.delete(own[0] as number);
    }
    return at;
  }

  #create(slot: number, generation: number, flags: number): Row {
    const words = new (flags & IS_OWN ? Float64Array : Int32Array)(this.#words + 1).fill(-1, this.#firstText);
    [words[0], words[1]] = [slot, generation];
    const hidden = { [WORDS]: words, [TEXTS]: new Array<string>(this.#textCount).fill("") };
    const row = withMembers({}, hidden, this.#members, this.#groups) as Row;
    Object.defineProperty(row, "id", { value: entityId(this.#number, slot, generation), enumerable: true });
    return Object.defineProperty(row, "isOwn", IS_OWN_MEMBER);
  }
}

interface Words {
  readonly [WORDS]: Int32Array | Float64Array;
  readonly [TEXTS]: string[];
}

interface Getter {
  readonly path: readonly string[];
  readonly get: (row: Words) => unknown;
}

/** The members of an object inside a row, such as a vector's x and y. */
interface Group {
  readonly name: string;
  readonly isList: boolean;
  readonly members: PropertyDescriptorMap;
  readonly groups: readonly Group[];
}

const IS_OWN_MEMBER: PropertyDescriptor = {
  enumerable: true,
  get(this: Words) {
    return ((this[WORDS][2] as number) & IS_OWN) !== 0;
  },
};

function membersOf(getters: readonly Getter[]): { members: PropertyDescriptorMap; groups: Group[] } {
  const members: PropertyDescriptorMap = {};
  const groups: Group[] = [];
  for (const [name, found] of treeOf(getters)) {
    if (Array.isArray(found)) groups.push({ name, isList: found[0]?.path[0] === "0", ...membersOf(found) });
    else {
      const { get } = found;
      members[name] = {
        enumerable: true,
        get(this: Words) {
          return get(this);
        },
      };
    }
  }
  return { members, groups };
}

function withMembers(object: object, hidden: object, members: PropertyDescriptorMap, groups: readonly Group[]): object {
  for (const symbol of Object.getOwnPropertySymbols(hidden)) Object.defineProperty(object, symbol, { value: hidden[symbol as never] });
  Object.defineProperties(object, members);
  for (const { name, isList, members, groups: inner } of groups) {
    Object.defineProperty(object, name, { value: withMembers(isList ? [] : {}, hidden, members, inner), enumerable: true });
  }
  return object;
}

const getterOf =
  ({ read }: Leaf): Getter["get"] =>
  (row) =>
    read(row[WORDS]);

const privately =
  (get: Getter["get"]): Getter["get"] =>
  (row) =>
    ((row[WORDS][2] as number) & IS_OWN) !== 0 ? get(row) : undefined;
