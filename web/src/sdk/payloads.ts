// The payloads of events, commands and messages, by the schema's fields.
//
// In: bytes, or a page's object. Out: the other one. Kinds that the schema does not describe are left as bytes: `{ payload }`.

import { Encoding, type Field, type Kind, type PayloadKind } from "./schema.js";
import { camelCase, leavesOf, pathOf, readMembers, shown, writeMembers, wrongType, type Leaf } from "./values.js";

/** A kind of event, command or message, ready to be read and written. */
export interface PayloadCodec {
  readonly name: string;
  readonly number: number;
  readonly isDescribed: boolean;
  /** Path and type of each value. */
  readonly leaves: readonly Pick<Leaf, "path" | "type">[];
  /** The page's object of a payload, whose kind has been read; undefined if the bytes are no such payload. */
  read(payload: Uint8Array): object | undefined;
  /** The payload of a page's object. Throws a TypeError or a RangeError. `prefix`: the bytes before it. */
  write(given: unknown, prefix: number[]): Uint8Array;
}

const texts = { encoder: new TextEncoder(), decoder: new TextDecoder("utf-8", { fatal: true }) };

/** The kinds of a list of the schema, by name and number. */
export class PayloadCodecs {
  readonly #list: PayloadCodec[];
  readonly #of: string;

  /** `of`: what the list has, for people: "event", "command" or "message". */
  constructor(list: readonly PayloadKind[], kinds: readonly Kind[], of: string) {
    this.#list = list.map((kind, number) => codecOf(kind, number, kinds));
    this.#of = of;
  }

  get all(): readonly PayloadCodec[] {
    return this.#list;
  }

  at(number: number): PayloadCodec | undefined {
    return this.#list[number];
  }

  /** Throws a TypeError that says which there are. */
  named(name: string): PayloadCodec {
    const found = this.#list.find((codec) => codec.name === name);
    if (found) return found;
    const names = this.#list.map((codec) => codec.name);
    throw new TypeError(`this game has no ${this.#of} ${shown(name)}; it has ${names.join(", ") || "none"}`);
  }

  /** The kind and the object of a command's or a message's payload, which begins with the number of its kind. */
  readPrefixed(payload: Uint8Array): { name: string; value: object } | undefined {
    const bytes = new Bytes(payload);
    const codec = this.#list[bytes.varint() ?? -1];
    const value = codec?.read(payload.subarray(bytes.at));
    return codec && value && { name: codec.name, value };
  }

  /** The payload of a command or message. */
  writePrefixed(name: string, given: unknown): Uint8Array {
    const codec = this.named(name);
    const prefix: number[] = [];
    putVarint(codec.number, prefix);
    return codec.write(given, prefix);
  }
}

function codecOf({ name, fields, described }: PayloadKind, number: number, kinds: readonly Kind[]): PayloadCodec {
  // Fields and words have the same indices: texts and bytes have a word that nobody uses.
  const leaves = fields.flatMap((field, at): Leaf[] => (isInteger(field) ? leavesOf([field], kinds, at) : [blobLeaf(field, at)]));
  return {
    name: camelCase(name),
    number,
    isDescribed: described,
    leaves,
    read(payload) {
      if (!described) return { payload: payload.slice() };
      const bytes = new Bytes(payload);
      const [words, blobs] = [[] as number[], [] as unknown[]];
      fields.forEach((field, at) => {
        if (isInteger(field)) words[at] = (field.encoding === Encoding.Fixed ? bytes.fixed() : bytes.signed()) ?? NaN;
        else blobs[at] = field.encoding === Encoding.Text ? bytes.text() : bytes.part()?.slice();
      });
      if (bytes.hasFailed || bytes.at !== payload.length) return undefined;
      return readMembers(leaves, ({ at, read }) => (at in blobs ? blobs[at] : read(words)));
    },
    write(given, prefix) {
      if (!described) {
        if (!(given instanceof Uint8Array)) throw wrongType(name, given, "a Uint8Array: the schema does not describe it");
        return Uint8Array.from([...prefix, ...given]);
      }
      const [words, blobs] = [fields.map(() => 0), [] as unknown[]];
      const members = leaves.map((leaf) => (isInteger(fields[leaf.at] as Field) ? leaf : { ...leaf, write: blobWriter(fields[leaf.at] as Field, leaf.at, blobs) }));
      writeMembers(members, given ?? {}, words, camelCase(name));
      const missing = members.find((leaf) => !leaf.isOptional && memberOf(given, leaf.path) === undefined);
      if (missing) throw new TypeError(`${camelCase(name)} needs ${missing.path.join(".")}: ${missing.type}`);
      fields.forEach((field, at) => {
        const word = words[at] as number;
        if (field.encoding === Encoding.Fixed) prefix.push(word & 255, (word >> 8) & 255, (word >> 16) & 255, word >>> 24);
        else if (isInteger(field)) putVarint(((word << 1) ^ (word >> 31)) >>> 0, prefix);
        else {
          const blob = blobs[at] as Uint8Array;
          putVarint(blob.length, prefix);
          for (const byte of blob) prefix.push(byte);
        }
      });
      return Uint8Array.from(prefix);
    },
  };
}

const isInteger = ({ encoding }: Field): boolean => encoding !== Encoding.Text && encoding !== Encoding.Bytes;

function blobLeaf({ name, encoding }: Field, at: number): Leaf {
  return { path: pathOf(name), type: encoding === Encoding.Text ? "text" : "bytes", at, read: () => undefined, write: () => {} };
}

function blobWriter({ name, encoding }: Field, at: number, blobs: unknown[]): Leaf["write"] {
  return (given) => {
    if (encoding === Encoding.Text) {
      if (typeof given !== "string") throw wrongType(name, given, "a string");
      blobs[at] = texts.encoder.encode(given);
    } else {
      if (!(given instanceof Uint8Array)) throw wrongType(name, given, "a Uint8Array");
      blobs[at] = given;
    }
  };
}

function memberOf(given: unknown, path: readonly string[]): unknown {
  return path.reduce((value, name) => (value as Record<string, unknown> | undefined)?.[name], given);
}

function putVarint(value: number, bytes: number[]): void {
  for (; value >= 128; value >>>= 7) bytes.push((value & 127) | 128);
  bytes.push(value);
}

/** Reads bytes from the front. What ends early gives undefined, from then on. */
class Bytes {
  at = 0;
  hasFailed = false;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  #failed(): undefined {
    this.hasFailed = true;
    return undefined;
  }

  varint(): number | undefined {
    let value = 0;
    for (let place = 0; place < 5 && !this.hasFailed; place++) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) break;
      value += (byte & 127) * 2 ** (7 * place);
      if (byte < 128) return value < 2 ** 32 ? value : this.#failed();
    }
    return this.#failed();
  }

  signed(): number | undefined {
    const zigzag = this.varint();
    return zigzag === undefined ? undefined : (zigzag >>> 1) ^ -(zigzag & 1);
  }

  fixed(): number | undefined {
    const [a, b, c, d] = this.#bytes.subarray(this.at, this.at + 4);
    this.at += 4;
    return d === undefined ? this.#failed() : (a as number) | ((b as number) << 8) | ((c as number) << 16) | (d << 24);
  }

  part(): Uint8Array | undefined {
    const length = this.varint();
    if (length === undefined || this.at + length > this.#bytes.length) return this.#failed();
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  text(): string | undefined {
    const part = this.part();
    try {
      return part && texts.decoder.decode(part);
    } catch {
      return this.#failed();
    }
  }
}
