// Protobuf, as far as the protocol needs it: bytes in, objects with the field names of docs/PROTOCOL.md out, and back.

// The messages of docs/PROTOCOL.md: field number, name, type; "*" marks repeated fields.
const MESSAGES = {
  ClientMessage: "1 hello Hello, 2 inputs Inputs, 3 chat Chat, 4 resync Resync, 5 ping Ping, 6 leave Leave, 7 command Command",
  Hello:
    "1 version uint32, 2 room string, 3 name string, 4 resume_token bytes, 5 ticket string, 6 encoding uint32, 7 spectate bool, 8 last_message uint32, " +
    "9 reservation bytes, 10 map_parts bool, 11 map_id bytes, 12 map_offset uint32, 13 cell_parts bool",
  Inputs:
    "1 seq uint32, 2 target_tick uint32, 3 received_tick uint32, 4 received_at_us fixed32, 5 view_tick uint32, 6 view_fraction uint32, 7 payload bytes",
  Chat: "1 text string",
  Resync: "1 view_mismatch bool, 2 tick uint32",
  Ping: "1 stamp fixed64",
  Leave: "1 grace_ms uint32",
  Command: "1 number uint32, 2 payload bytes",
  ServerMessage:
    "1 snapshot Snapshot, 2 welcome Welcome, 3 heartbeat Heartbeat, 4 message Message, 5 notice Notice, 6 goodbye Goodbye, 7 pong Pong, 8 codebooks Codebooks, " +
    "9 map_part MapPart",
  Welcome:
    "1 session uint32, 2 resume_token bytes, 3 resumed bool, 4 room string, 5 name string, 6 entity EntityId, 7 tick_rate uint32, 8 tick uint32, " +
    "9 clock_us uint64, 10 tick_zero_us sint64, 11 schema Schema, 12 game string, 13 map bytes, 14 rules_hash fixed64, 15 encoding uint32, " +
    "16 limits Limits, 17 last_seq uint32, 18 spectator bool, 19 codebooks Codebooks, 20 last_command uint32, 21 rules_module bytes, " +
    "22 map_id bytes, 23 map_bytes uint32, 24 map_offset uint32",
  MapPart: "1 bytes bytes",
  Limits: "1 max_message_bytes uint32, 2 resume_window_ms uint32, 3 max_rewind_ms uint32, 4 max_input_lead uint32",
  Snapshot:
    "1 tick uint32, 2 applied_seq uint32, 3 input_margin sint32, 4 added_cells uint32*, 5 dropped_cells uint32*, 6 deferred_cells uint32*, " +
    "7 owned OwnedRow*, 8 view_hash fixed64, 9 starved_inputs uint32, 10 full_snapshot bool, 11 applied_advance sint32, 12 cell_parts uint32*, " +
    "13 deferred_bits bytes, 14 blocks Block*, 15 packed bytes",
  OwnedRow: "1 kind uint32, 2 slot uint32, 3 generation uint32, 4 lanes sint32*",
  Heartbeat: "1 tick uint32, 2 clock_us uint64",
  Message: "1 number uint32, 2 from_session uint32, 3 from_name string, 4 chat string, 5 game bytes",
  Notice: "1 text string",
  Goodbye: "1 reason string, 2 reconnect_after_ms uint32",
  Pong: "1 stamp fixed64, 2 clock_us uint64, 3 tick uint32, 4 held_us uint32",
  Codebooks: "1 code_lengths bytes, 2 usual_lanes uint64*, 3 changed uint32*",
  Schema: "1 kinds Kind*, 2 events PayloadKind*, 3 grid Grid, 4 input InputField*, 5 commands PayloadKind*, 6 messages PayloadKind*",
  Kind:
    "1 name string, 2 lanes Lane*, 3 private_lanes Lane*, 4 texts string*, 5 placed bool, 6 predicted bool, 7 teleport_lane_plus_one uint32",
  Lane: "1 name string, 2 unit string, 3 modulus uint32, 4 continuous bool, 5 value ValueType",
  ValueType: "1 meaning uint32, 2 steps uint32, 3 names string*",
  InputField: "1 name string, 2 unit string, 3 bits uint32, 4 min sint32, 5 max sint32, 6 once bool, 7 value ValueType",
  PayloadKind: "1 name string, 2 fields Field*, 3 described bool",
  Field: "1 name string, 2 unit string, 3 encoding uint32, 4 value ValueType",
  Grid: "1 origin_x sint32, 2 origin_y sint32, 3 cell_size uint32, 4 columns uint32, 5 rows uint32, 6 layers uint32",
  EntityId: "1 kind uint32, 2 slot uint32, 3 generation uint32",
  Row: "1 kind uint32, 2 slot uint32, 3 generation uint32, 4 lanes sint32*, 5 texts string*",
  Block: "1 cell uint32, 2 baseline_ago uint32, 3 left Left*, 4 entered Row*, 5 changed Change*, 6 events Event*",
  Left: "1 kind uint32, 2 slot uint32, 3 to_cell_plus_one uint32",
  Change: "1 kind uint32, 2 slot uint32, 3 lane_mask uint64, 4 deltas sint32*, 5 texts TextChange*",
  TextChange: "1 text uint32, 2 value string",
  Event: "1 number uint32, 2 ticks_ago uint32, 3 kind uint32, 4 payload bytes",
};

const FIELDS = Object.fromEntries(
  Object.entries(MESSAGES).map(([message, text]) => {
    const fields = text.split(", ").filter(Boolean).map((field) => field.split(" "));
    return [message, new Map(fields.map(([number, name, type]) => [Number(number), { name, type: type.replace("*", ""), isRepeated: type.endsWith("*") }]))];
  }),
);

const SCALARS = {
  uint32: { wire: 0, none: 0, read: (value) => Number(BigInt.asUintN(32, value)) },
  sint32: { wire: 0, none: 0, read: (value) => Number(BigInt.asIntN(32, unzigzag(value))) },
  uint64: { wire: 0, none: 0n, read: (value) => value },
  sint64: { wire: 0, none: 0n, read: unzigzag },
  bool: { wire: 0, none: false, read: (value) => value !== 0n },
  fixed32: { wire: 5, none: 0, read: (value) => Number(value) },
  fixed64: { wire: 1, none: 0n, read: (value) => value },
};

function unzigzag(value) {
  return (value >> 1n) ^ -(value & 1n);
}

/** Decodes a protobuf message of one of the types above. Fields that did not come have their default; messages are then undefined. */
export function decode(type, bytes) {
  const message = {};
  for (const { name, type: of, isRepeated } of FIELDS[type].values()) {
    // Presence matters for messages, for what is `optional`, and within a oneof.
    const isOptional = ["input_margin", "view_hash"].includes(name) || (type === "Message" && ["chat", "game"].includes(name));
    const none = of === "string" ? "" : of === "bytes" ? new Uint8Array() : SCALARS[of]?.none;
    message[name] = isRepeated ? [] : isOptional ? undefined : none;
  }
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63n) throw new Error("a varint has no end");
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
  };
  const fixed = (length) => {
    let value = 0n;
    for (let byte = length - 1; byte >= 0; byte--) value = (value << 8n) | BigInt(bytes[at + byte]);
    at += length;
    return value;
  };
  const raw = { 0: varint, 1: () => fixed(8), 5: () => fixed(4) };
  while (at < bytes.length) {
    const key = Number(varint());
    const [number, wire] = [key >>> 3, key & 7];
    const field = FIELDS[type].get(number);
    if (wire !== 2) {
      const value = raw[wire]();
      if (field) set(message, field, SCALARS[field.type].read(value));
      continue;
    }
    const end = Number(varint()) + at;
    if (end > bytes.length) throw new Error("a field is longer than its message");
    if (!field) {
      at = end;
    } else if (SCALARS[field.type]) {
      while (at < end) set(message, field, SCALARS[field.type].read(raw[SCALARS[field.type].wire]()));
    } else {
      const part = bytes.subarray(at, end);
      at = end;
      set(message, field, field.type === "bytes" ? part : field.type === "string" ? utf8(part) : decode(field.type, part));
    }
  }
  return message;
}

function set(message, { name, isRepeated }, value) {
  if (isRepeated) message[name].push(value);
  else message[name] = value;
}

const VARINTS = {
  uint32: BigInt,
  uint64: BigInt,
  bool: (value) => (value ? 1n : 0n),
  sint32: zigzag,
  sint64: zigzag,
};

function zigzag(value) {
  return BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
}

/** Encodes a message of one of the types above. Fields that are left out have their default. */
export function encode(type, message) {
  const out = [];
  const varint = (value) => {
    for (; value > 127n; value >>= 7n) out.push(Number(value & 127n) | 128);
    out.push(Number(value));
  };
  const delimited = (number, bytes) => {
    varint(BigInt((number << 3) | 2));
    varint(BigInt(bytes.length));
    out.push(...bytes);
  };
  for (const [number, { name, type: of, isRepeated }] of FIELDS[type]) {
    for (const value of isRepeated ? message[name] ?? [] : message[name] === undefined ? [] : [message[name]]) {
      if (VARINTS[of]) {
        varint(BigInt(number << 3));
        varint(VARINTS[of](value));
      } else if (of.startsWith("fixed")) {
        const bytes = SCALARS[of].wire === 1 ? 8 : 4;
        varint(BigInt((number << 3) | SCALARS[of].wire));
        for (let byte = 0; byte < bytes; byte++) out.push(Number((BigInt(value) >> BigInt(8 * byte)) & 255n));
      } else if (of === "string") {
        delimited(number, new TextEncoder().encode(value));
      } else {
        delimited(number, of === "bytes" ? value : encode(of, value));
      }
    }
  }
  return Uint8Array.from(out);
}

export function utf8(bytes) {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
