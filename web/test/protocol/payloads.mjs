// Payloads as the schema describes them: inputs are rows of bits, events, commands and messages are rows of fields.
//
// In: the schema's fields, and values or bytes. Out: the other one. Integers are numbers, texts are strings, bytes are Uint8Array.

import { utf8 } from "./protobuf.mjs";

const clamp = (value, { min, max }) => Math.min(Math.max(value, min), max);

/** The payload of an input. */
export function writeInput(fields, values) {
  let [row, length] = [0n, 0];
  fields.forEach((field, index) => {
    row |= BigInt.asUintN(field.bits, BigInt(clamp(values[index], field))) << BigInt(length);
    length += field.bits;
  });
  const bytes = [];
  for (; row > 0n; row >>= 8n) bytes.push(Number(row & 255n));
  return Uint8Array.from(bytes);
}

/** The values of an input's fields, which any bytes have. */
export function readInput(fields, payload) {
  let row = [...payload].reduceRight((row, byte) => (row << 8n) | BigInt(byte), 0n);
  return fields.map((field) => {
    const value = field.min < 0 ? BigInt.asIntN(field.bits, row) : BigInt.asUintN(field.bits, row);
    row >>= BigInt(field.bits);
    return clamp(Number(value), field);
  });
}

const [INTEGER, TEXT, BYTES, FIXED] = [0, 1, 2, 3];

/** The values of the fields of an event, a command or a message, without the kind; throws for bytes that are not such fields. */
export function readFields(fields, bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let place = 0; place < 5; place++) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("the payload ends early");
      value += (byte & 127) * 2 ** (7 * place);
      if (byte < 128 && value < 2 ** 32) return value;
    }
    throw new Error("an integer has more than 32 bits");
  };
  const part = () => {
    const length = varint();
    if (at + length > bytes.length) throw new Error("the payload ends early");
    at += length;
    return bytes.subarray(at - length, at);
  };
  const read = {
    [INTEGER]: () => {
      const zigzag = varint();
      return (zigzag >>> 1) ^ -(zigzag & 1);
    },
    [TEXT]: () => utf8(part()),
    [BYTES]: part,
    [FIXED]: () => {
      if (at + 4 > bytes.length) throw new Error("the payload ends early");
      at += 4;
      return bytes[at - 4] | (bytes[at - 3] << 8) | (bytes[at - 2] << 16) | (bytes[at - 1] << 24);
    },
  };
  const values = fields.map(({ encoding }) => read[encoding]());
  if (at < bytes.length) throw new Error("the payload goes on after its last field");
  return values;
}

/** The payload of an event; of a command or a message with its kind. */
export function writeFields(fields, values, kind) {
  const bytes = [];
  const varint = (value) => {
    for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
    bytes.push(value);
  };
  const part = (part) => {
    varint(part.length);
    bytes.push(...part);
  };
  if (kind !== undefined) varint(kind);
  const write = {
    [INTEGER]: (value) => varint(((value << 1) ^ (value >> 31)) >>> 0),
    [TEXT]: (value) => part(new TextEncoder().encode(value)),
    [BYTES]: part,
    [FIXED]: (value) => bytes.push(value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255),
  };
  fields.forEach(({ encoding }, index) => write[encoding](values[index]));
  return Uint8Array.from(bytes);
}
