// A second reader of the protocol, written from docs/PROTOCOL.md alone: no code of it is shared with Tickwire's own client.
//
// In: the bytes of server messages. Out: the view's rows, private rows and events, and hashes to compare. `reached` collects which
// corners of the packed encoding were read, so that a test can demand them all. Without sockets, clocks and dependencies; too slow
// for a game, short enough to be copied from.

// The messages of docs/PROTOCOL.md: field number, name, type; "*" marks repeated fields.
const MESSAGES = {
  ClientMessage: "1 hello Hello, 2 inputs Inputs, 3 chat Chat, 4 resync Resync, 5 ping Ping, 6 leave Leave, 7 command Command",
  Hello:
    "1 version uint32, 2 room string, 3 name string, 4 resume_token bytes, 5 ticket string, 6 encoding uint32, 7 spectate bool, 8 last_message uint32",
  Inputs:
    "1 seq uint32, 2 target_tick uint32, 3 received_tick uint32, 4 received_at_us fixed32, 5 view_tick uint32, 6 view_fraction uint32, 7 payload bytes",
  Chat: "1 text string",
  Resync: "1 view_mismatch bool, 2 tick uint32",
  Ping: "1 stamp fixed64",
  Leave: "",
  Command: "1 number uint32, 2 payload bytes",
  ServerMessage:
    "1 snapshot Snapshot, 2 welcome Welcome, 3 heartbeat Heartbeat, 4 message Message, 5 notice Notice, 6 goodbye Goodbye, 7 pong Pong, 8 codebooks Codebooks",
  Welcome:
    "1 session uint32, 2 resume_token bytes, 3 resumed bool, 4 room string, 5 name string, 6 entity EntityId, 7 tick_rate uint32, 8 tick uint32, " +
    "9 clock_us uint64, 10 tick_zero_us sint64, 11 schema Schema, 12 game string, 13 map bytes, 14 rules_hash fixed64, 15 encoding uint32, " +
    "16 limits Limits, 17 last_seq uint32, 18 spectator bool, 19 codebooks Codebooks, 20 last_command uint32",
  Limits: "1 max_message_bytes uint32, 2 resume_window_ms uint32, 3 max_rewind_ms uint32, 4 max_input_lead uint32",
  Snapshot:
    "1 tick uint32, 2 applied_seq uint32, 3 input_margin sint32, 4 added_cells uint32*, 5 dropped_cells uint32*, 6 deferred_cells uint32*, " +
    "7 owned OwnedRow*, 8 view_hash fixed64, 9 starved_inputs uint32, 10 full_snapshot bool, 11 applied_advance sint32, 14 blocks Block*, 15 packed bytes",
  OwnedRow: "1 kind uint32, 2 slot uint32, 3 generation uint32, 4 lanes sint32*",
  Heartbeat: "1 tick uint32, 2 clock_us uint64",
  Message: "1 number uint32, 2 from_session uint32, 3 from_name string, 4 chat string, 5 game bytes",
  Notice: "1 text string",
  Goodbye: "1 reason string, 2 reconnect_after_ms uint32",
  Pong: "1 stamp fixed64, 2 clock_us uint64, 3 tick uint32, 4 held_us uint32",
  Codebooks: "1 code_lengths bytes, 2 usual_lanes uint64*, 3 changed uint32*",
  Schema: "1 kinds Kind*, 2 events EventKind*, 3 grid Grid",
  Kind: "1 name string, 2 lanes Lane*, 3 private_lanes Lane*, 4 texts string*, 5 placed bool, 6 predicted bool",
  Lane: "1 name string, 2 unit string, 3 modulus uint32, 4 continuous bool",
  EventKind: "1 name string",
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

function utf8(bytes) {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

// Lane arithmetic. Without a modulus both wrap at 32 bits.

const modulo = (value, modulus) => ((value % modulus) + modulus) % modulus;

export function difference({ modulus }, from, to) {
  if (modulus === 0) return (to - from) | 0;
  const forwards = modulo(to - from, modulus);
  return forwards > Math.floor((modulus - 1) / 2) ? forwards - modulus : forwards;
}

export function add({ modulus }, from, difference) {
  return modulus === 0 ? (from + difference) | 0 : modulo(from + difference, modulus);
}

/** The cell of a position on a layer. */
export function cellAt(grid, x, y, layer) {
  const along = (at, origin, count) => Math.min(Math.max(Math.floor((at - origin) / grid.cell_size), 0), count - 1);
  const [column, row] = [along(x, grid.origin_x, grid.columns), along(y, grid.origin_y, grid.rows)];
  return 1 + (layer * grid.rows + row) * grid.columns + column;
}

// Hashes.

function mix(hash, word) {
  const mixed = BigInt.asUintN(64, ((hash ^ BigInt(word >>> 0)) + 1n) * 0x9e3779b97f4a7c15n);
  return mixed ^ (mixed >> 29n);
}

export function rowHash({ kind, slot, generation, lanes, texts }) {
  let hash = [kind, slot, generation, ...lanes].reduce(mix, 0n);
  for (const text of texts) {
    const bytes = new TextEncoder().encode(text);
    hash = [bytes.length, ...bytes].reduce(mix, hash);
  }
  return hash;
}

export function cellHash(cell, sum) {
  return [cell, Number(sum & 0xffffffffn), Number(sum >> 32n)].reduce(mix, 0n);
}

// A cell's rows are a Map by kind and slot. Maps and rows never change once they are set, so the ones before can be kept.

const keyOf = ({ kind, slot }) => kind * 2 ** 24 + slot;

/** Throws if a snapshot cannot be applied: the client then sends `Resync`. */
function check(condition, what) {
  if (!condition) throw new Error(what);
}

/** The client's side of one connection: what the server's messages make of the view. */
export class Client {
  schema;
  /** The cells of the view by number: the tick at which each stands, its rows, and the stand before. */
  cells = new Map();
  tick = 0;
  appliedSeq = 0;
  inputMargin = undefined;
  starvedInputs = 0;
  owned = [];
  /** Events received for the first time by the latest snapshot. */
  events = [];
  #isPacked;
  #codebooks;
  #seenEvents = new Set();
  #awaitsFull = true;
  #reached;

  /** `welcome`: the message that the connection began with. `reached` collects corners of the packed encoding. */
  constructor(welcome, reached = new Set()) {
    this.schema = welcome.schema;
    this.#reached = reached;
    this.#isPacked = welcome.encoding === 2;
    if (this.#isPacked) this.#codebooks = new Codebooks(this.schema, welcome.codebooks);
  }

  /** Takes a `Codebooks` message. */
  updateCodebooks(message) {
    this.#codebooks.update(message);
  }

  /** Takes a `Snapshot`. Returns "applied", "ignored" or "resync". */
  apply(snapshot) {
    if (this.#awaitsFull && !snapshot.full_snapshot) return "ignored";
    this.#awaitsFull = true;
    try {
      this.#readHeader(snapshot);
      this.#changeView(snapshot);
    } catch {
      return "resync";
    }
    if (snapshot.view_hash !== undefined && snapshot.view_hash !== this.viewHash()) return "resync";
    this.#awaitsFull = false;
    return "applied";
  }

  viewHash() {
    let hash = 0n;
    for (const [number, { rows }] of this.cells) {
      const sum = [...rows.values()].reduce((sum, row) => sum + rowHash(row), 0n);
      hash += cellHash(number, BigInt.asUintN(64, sum));
    }
    return BigInt.asUintN(64, hash);
  }

  #readHeader(snapshot) {
    const { tick, applied_seq, starved_inputs, full_snapshot, applied_advance } = snapshot;
    if (this.#isPacked && !full_snapshot) {
      const now = tick === 0 ? this.tick + 1 : tick;
      this.appliedSeq = (this.appliedSeq + (now - this.tick) + applied_advance) >>> 0;
      this.starvedInputs = (this.starvedInputs + starved_inputs) >>> 0;
      check(now > this.tick, "the tick is not newer");
      this.tick = now;
    } else {
      check(full_snapshot || tick > this.tick, "the tick is not newer");
      [this.tick, this.appliedSeq, this.starvedInputs] = [tick, applied_seq, starved_inputs];
    }
    this.inputMargin = snapshot.input_margin;
    this.owned = snapshot.owned;
  }

  #changeView(snapshot) {
    if (snapshot.full_snapshot) this.cells.clear();
    for (const cell of snapshot.dropped_cells) check(this.cells.delete(cell), `cell ${cell} cannot be dropped`);
    for (const cell of snapshot.added_cells) {
      check(!this.cells.has(cell), `cell ${cell} cannot be added`);
      this.cells.set(cell, { tick: undefined, rows: new Map(), before: undefined });
    }
    const deferred = new Set(snapshot.deferred_cells);
    const open = [...this.cells.keys()].filter((cell) => !deferred.has(cell)).sort((a, b) => a - b);
    const changed = new Map();
    this.events = [];
    if (this.#isPacked) this.#readPacked(snapshot.packed, open, changed);
    for (const block of snapshot.blocks) {
      check(open.includes(block.cell), `cell ${block.cell} cannot have a block`);
      changed.set(block.cell, this.#readPlain(block));
    }
    for (const number of open) {
      const { tick, rows } = this.cells.get(number);
      this.cells.set(number, { tick: this.tick, rows: sorted(changed.get(number) ?? rows), before: { tick, rows } });
    }
  }

  #receiveEvent(event, ticksAgo) {
    if (this.#seenEvents.has(event.number)) return;
    this.#seenEvents.add(event.number);
    this.events.push({ number: event.number, tick: this.tick - ticksAgo, kind: event.kind, payload: event.payload });
  }

  #readPlain(block) {
    const cell = this.cells.get(block.cell);
    const isKeyframe = block.baseline_ago === 0;
    check(isKeyframe || this.tick - block.baseline_ago === cell.tick, `cell ${block.cell} has another baseline`);
    const rows = isKeyframe ? new Map() : new Map(cell.rows);
    for (const left of block.left) check(rows.delete(keyOf(left)), "a row that is not there left");
    for (const change of block.changed) {
      const row = rows.get(keyOf(change));
      check(row, "a row that is not there changed");
      const [lanes, texts, deltas] = [[...row.lanes], [...row.texts], [...change.deltas]];
      lanes.forEach((value, lane) => {
        if ((change.lane_mask >> BigInt(lane)) & 1n) lanes[lane] = add(this.schema.kinds[row.kind].lanes[lane], value, deltas.shift());
      });
      for (const { text, value } of change.texts) texts[text] = value;
      rows.set(keyOf(row), { ...row, lanes, texts });
    }
    for (const row of block.entered) {
      check(!rows.has(keyOf(row)), "a row that is there entered");
      rows.set(keyOf(row), row);
    }
    for (const event of block.events) this.#receiveEvent(event, event.ticks_ago);
    return rows;
  }

  #readPacked(packed, open, changed) {
    if (packed.length === 0) return;
    const bits = new Bits(packed, this.#reached);
    const present = open.map(() => bits.take(1) === 1);
    if (open.length > 8) this.#reached.add("more than eight cells");
    bits.align();
    open.forEach((number, index) => {
      if (!present[index]) return;
      changed.set(number, this.#readBlock(bits, this.cells.get(number)));
      bits.align();
    });
    check(bits.isAtEnd, "there are bytes after the last block");
  }

  #readBlock(bits, cell) {
    const note = (what, value = true) => value && this.#reached.add(what);
    let rows = [...cell.rows.values()];
    const entered = [];
    const flag = (name) => {
      const value = bits.take(1) === 1;
      note(`${name} ${value ? 1 : 0}`);
      return value;
    };
    if (flag("structure")) {
      const isKeyframe = flag("keyframe");
      if (isKeyframe) rows = [];
      else {
        const gone = new Set();
        let position = -1;
        for (let count = bits.number(); count > 0; count--) {
          position += 1 + bits.number();
          check(position < rows.length, "a row that is not there left");
          gone.add(position);
          note(bits.number() === 0 ? "left: gone" : "left: to a cell");
        }
        note("left: several rows", gone.size > 1);
        rows = rows.filter((_, index) => !gone.has(index));
      }
      for (let count = bits.number(); count > 0; count--) {
        const [kind, slot, generation] = [bits.number(), bits.number(), bits.number()];
        const lanes = this.schema.kinds[kind].lanes.map(() => bits.signed());
        const texts = this.schema.kinds[kind].texts.map(() => utf8(bits.bytes()));
        entered.push({ kind, slot, generation, lanes, texts });
        note("entered: not in a keyframe", !isKeyframe);
      }
      if (isKeyframe) return new Map(entered.map((row) => [keyOf(row), row]));
      for (let count = bits.number(); count > 0; count--) {
        const [position, text] = [bits.number(), bits.number()];
        check(position < rows.length, "a text of a row that is not there");
        const texts = [...rows[position].texts];
        texts[text] = utf8(bits.bytes());
        rows[position] = { ...rows[position], texts };
        note(`text ${Math.min(text, 1)} of row ${Math.min(position, 1)}`);
      }
      for (let count = bits.number(); count > 0; count--) {
        const [number, ticksAgo, kind] = [bits.number(), bits.number(), bits.number()];
        this.#receiveEvent({ number, kind, payload: bits.bytes() }, ticksAgo);
        note(`event ${ticksAgo === 0 ? "now" : "ago"}`);
      }
    }
    const kinds = [...new Set(rows.map(({ kind }) => kind))];
    note("columns of several kinds", kinds.length > 1);
    const stayed = kinds.flatMap((kind) => this.#readColumns(bits, flag, kind, rows.filter((row) => row.kind === kind), cell));
    return new Map([...stayed, ...entered].map((row) => [keyOf(row), row]));
  }

  /** The rows of one kind that stay, after their changes. */
  #readColumns(bits, flag, kind, rows, cell) {
    const { lanes } = this.schema.kinds[kind];
    if (lanes.length === 0) this.#reached.add("columns of a kind without lanes");
    let isChanged = rows.map(() => true);
    if (!flag("all")) {
      if (!flag("any")) return rows;
      if (flag("gaps")) {
        isChanged = rows.map(() => false);
        let position = -1;
        for (let count = bits.number(); count > 0; count--) {
          position += 1 + bits.number();
          check(position < rows.length, "a row that is not there changed");
          isChanged[position] = true;
        }
      } else {
        isChanged = rows.map(() => bits.take(1) === 1);
      }
    }
    const usual = this.#codebooks.usualLanes[kind];
    const isSent = flag("usual") ? lanes.map((_, lane) => ((usual >> BigInt(lane)) & 1n) === 1n) : lanes.map(() => bits.take(1) === 1);
    const changing = rows.filter((_, index) => isChanged[index]);
    const before = changing.map((row) => this.#rowBefore(row, cell));
    const changed = new Map(changing.map((row) => [row, { ...row, lanes: [...row.lanes] }]));
    lanes.forEach((lane, index) => {
      changing.forEach((row, at) => {
        const isPredicted = before[at] !== undefined;
        const code = this.#codebooks.codes[kind][index][isPredicted ? 1 : 0];
        const residual = isSent[index] ? this.#readResidual(bits, code, isPredicted) : 0;
        const value = row.lanes[index];
        const moves = isPredicted && lane.continuous;
        const expected = moves ? add(lane, value, difference(lane, before[at].lanes[index], value)) : value;
        if (!isSent[index] && expected !== value) this.#reached.add("a lane that is not sent moves on");
        changed.get(row).lanes[index] = add(lane, expected, residual);
      });
    });
    return rows.map((row) => changed.get(row) ?? row);
  }

  /** The row two ticks ago, if it predicts the row now. */
  #rowBefore(row, { tick, before }) {
    if (tick !== this.tick - 1 || before.tick !== this.tick - 2) return undefined;
    const earlier = before.rows.get(keyOf(row));
    if (earlier && earlier.generation !== row.generation) this.#reached.add("a slot that was reused is not predicted");
    return earlier?.generation === row.generation ? earlier : undefined;
  }

  #readResidual(bits, code, isPredicted) {
    const { symbol, isTuned } = code.read(bits);
    this.#reached.add(`symbol ${symbol} ${isPredicted ? "predicted" : "not predicted"} ${isTuned ? "tuned" : "initial"}`);
    const bitsBelow = symbol - 16 + 4;
    const zigzag = symbol < 16 ? symbol : 2 ** bitsBelow + bits.take(bitsBelow);
    return unzigzag32(zigzag);
  }
}

const sorted = (rows) => new Map([...rows].sort(([a], [b]) => a - b));

const unzigzag32 = (zigzag) => (zigzag >>> 1) ^ -(zigzag & 1);

/** Reads bits, from the lowest of each byte up. */
class Bits {
  #bytes;
  #at = 0;
  #reached;

  constructor(bytes, reached) {
    this.#bytes = bytes;
    this.#reached = reached;
  }

  take(count) {
    let value = 0;
    for (let bit = 0; bit < count; bit++, this.#at++) {
      const byte = this.#bytes[this.#at >> 3];
      check(byte !== undefined, "the block ends too early");
      if ((byte >> (this.#at & 7)) & 1) value += 2 ** bit;
    }
    return value;
  }

  number() {
    let value = 0;
    for (let group = 0; group < 8; group++) {
      value += this.take(4) * 16 ** group;
      if (this.take(1) === 0) {
        this.#reached.add(`a number of ${group + 1} groups`);
        return value;
      }
    }
    throw new Error("a number has no end");
  }

  signed() {
    return unzigzag32(this.number());
  }

  bytes() {
    return Uint8Array.from({ length: this.number() }, () => this.take(8));
  }

  /** Goes on to a whole byte. */
  align() {
    this.#at = (this.#at + 7) & ~7;
  }

  get isAtEnd() {
    return this.#at === this.#bytes.length * 8;
  }
}

const SYMBOLS = 44;
const CODE_BYTES = SYMBOLS / 2;

/** A canonical Huffman code over the symbols of residuals. */
class Code {
  /** Symbols by length and code, as "length/code". */
  #symbols = new Map();
  #isTuned;

  constructor(bytes, isTuned) {
    this.#isTuned = isTuned;
    const lengths = Array.from({ length: SYMBOLS }, (_, symbol) => (bytes[symbol >> 1] >> (4 * (symbol & 1))) & 15);
    let next = 0;
    for (let length = 1; length <= 11; length++) {
      next *= 2;
      lengths.forEach((of, symbol) => {
        if (of === length) this.#symbols.set(`${length}/${next++}`, symbol);
      });
    }
  }

  read(bits) {
    let code = 0;
    for (let length = 1; length <= 11; length++) {
      code = code * 2 + bits.take(1);
      const symbol = this.#symbols.get(`${length}/${code}`);
      if (symbol !== undefined) return { symbol, isTuned: this.#isTuned };
    }
    throw new Error("no such code");
  }
}

/** For each kind the usual lanes, and for each of its public lanes the code without and the code with prediction. */
class Codebooks {
  usualLanes = [];
  codes;

  constructor(schema, message) {
    this.codes = schema.kinds.map(({ lanes }) => lanes.map(() => [undefined, undefined]));
    this.#replace(message, false);
  }

  update(message) {
    this.#replace(message, true);
  }

  #replace({ code_lengths, usual_lanes, changed }, isTuned) {
    this.usualLanes = usual_lanes;
    const places = this.codes.flatMap((lanes) => lanes.flatMap((pair) => [{ pair, at: 0 }, { pair, at: 1 }]));
    const count = code_lengths.length / CODE_BYTES;
    let place = -1;
    for (let code = 0; code < count; code++) {
      place += 1 + (changed.length > 0 ? changed[code] : 0);
      const { pair, at } = places[place];
      pair[at] = new Code(code_lengths.subarray(code * CODE_BYTES, (code + 1) * CODE_BYTES), isTuned);
    }
  }
}
