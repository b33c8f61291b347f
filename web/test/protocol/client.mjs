// A second client of the protocol, written from docs/PROTOCOL.md alone: no code of it is shared with Tickwire's own client.
//
// In: decoded server messages. Out: the view's rows, which of them to show, private rows, events, and hashes to compare. `reached`
// collects which corners of the packed encoding were read. Without sockets, clocks and dependencies; too slow for a game, short enough
// to be copied from.

import { Bits, Codebooks, check } from "./bits.mjs";
import { add, cellCount, cellHash, difference, partOf, rowHash } from "./integers.mjs";
import { utf8 } from "./protobuf.mjs";

// A cell's rows are a Map by kind and slot. Maps and rows never change once they are set, so the ones before can be kept.

const keyOf = ({ kind, slot }) => kind * 2 ** 24 + slot;
const idOf = ({ kind, slot, generation }) => `${kind}/${slot}/${generation}`;

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
  /** Why the latest snapshot could not be applied. */
  problem;
  #isPacked;
  #codebooks;
  /** The cells that go in parts, and how many they have, as a power of two. */
  #parts = new Map();
  /** How many cells there are: so far apart are the numbers of a cell's parts. */
  #cellCount;
  #rowHashes = new WeakMap();
  #seenEvents = new Set();
  /** Rows that left their cell with the latest snapshot, and the cells that they went to (undefined: gone). */
  #left = [];
  /** Rows on their way to a deferred cell, and the ticks since when entities are gone; both by kind, slot and generation. */
  #inTransit = new Map();
  #gone = new Map();
  #awaitsFull = true;
  #reached;

  /** `welcome`: the message that the connection began with. `reached` collects corners of the packed encoding. */
  constructor(welcome, reached = new Set()) {
    this.schema = welcome.schema;
    this.#cellCount = cellCount(this.schema.grid);
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
      const hash = this.viewHash();
      check(snapshot.view_hash === undefined || snapshot.view_hash === hash, `the view hash is ${snapshot.view_hash}, that of the rows ${hash}`);
    } catch (error) {
      this.problem = error.message;
      return "resync";
    }
    this.#awaitsFull = false;
    return "applied";
  }

  /** The rows to show, each with the tick at which the entity had it. */
  visibleRows() {
    const candidates = [...this.cells.values()].flatMap(({ tick, rows }) => [...rows.values()].map((row) => ({ row, tick })));
    candidates.push(...this.#inTransit.values());
    const shown = new Map();
    for (const one of candidates) {
      if (this.#gone.get(idOf(one.row)) > one.tick) continue;
      const other = shown.get(keyOf(one.row));
      const isNewer = !other || one.row.generation > other.row.generation || (one.row.generation === other.row.generation && one.tick > other.tick);
      if (isNewer) shown.set(keyOf(one.row), one);
    }
    return [...sorted(shown).values()];
  }

  viewHash() {
    let hash = 0n;
    for (const [number, { rows }] of this.cells) {
      const sum = [...rows.values()].reduce((sum, row) => sum + this.#hashOf(row), 0n);
      hash += cellHash(number, BigInt.asUintN(64, sum));
    }
    return BigInt.asUintN(64, hash);
  }

  #hashOf(row) {
    let hash = this.#rowHashes.get(row);
    if (hash === undefined) this.#rowHashes.set(row, (hash = rowHash(row)));
    return hash;
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
    if (snapshot.full_snapshot) for (const known of [this.cells, this.#parts, this.#inTransit, this.#gone]) known.clear();
    for (const cell of snapshot.dropped_cells) this.#drop(cell);
    for (const parts of snapshot.cell_parts) this.#setParts(parts >>> 3, parts & 7);
    for (const cell of snapshot.added_cells) {
      const isPart = Math.floor(cell / this.#cellCount) < 2 ** this.#partsLog2(cell % this.#cellCount);
      check(isPart && !this.cells.has(cell), `cell ${cell} cannot be added`);
      this.cells.set(cell, { tick: undefined, rows: new Map(), before: undefined });
    }
    const deferred = this.#readDeferred(snapshot);
    const open = [...this.cells.keys()].filter((cell) => !deferred.has(cell)).sort((a, b) => a - b);
    const changed = new Map();
    [this.events, this.#left] = [[], []];
    if (this.#isPacked) this.#readPacked(snapshot.packed, open, changed);
    for (const block of snapshot.blocks) {
      check(open.includes(block.cell), `cell ${block.cell} cannot have a block`);
      changed.set(block.cell, this.#readPlain(block));
    }
    for (const number of open) {
      const { tick, rows } = this.cells.get(number);
      this.cells.set(number, { tick: this.tick, rows: sorted(changed.get(number) ?? rows), before: { tick, rows } });
    }
    this.#noteLeft(deferred);
  }

  #partsLog2(cell) {
    return this.#parts.get(cell) ?? 0;
  }

  /** The number of the part of a cell in which a slot's row is. */
  #partId(cell, slot) {
    return cell + partOf(slot, this.#partsLog2(cell)) * this.#cellCount;
  }

  /** Forgets a cell with all of its parts. */
  #drop(cell) {
    let isKnown = this.#parts.has(cell);
    for (let part = 0; part < 2 ** this.#partsLog2(cell); part++) isKnown = this.cells.delete(cell + part * this.#cellCount) || isKnown;
    check(isKnown, `cell ${cell} cannot be dropped`);
    this.#parts.delete(cell);
  }

  /** Moves a cell's rows to other parts. Each part has the ticks of the one that its rows were in. */
  #setParts(cell, log2) {
    check(cell < this.#cellCount, `cell ${cell} cannot go in parts`);
    const [before, after] = [2 ** this.#partsLog2(cell), 2 ** log2];
    const old = [];
    for (let part = 0; part < before; part++) {
      const id = cell + part * this.#cellCount;
      if (this.cells.has(id)) old.push({ part, one: this.cells.get(id) });
      this.cells.delete(id);
    }
    for (const { part, one } of old) {
      for (let to = part % after; to < after; to += before) {
        const id = cell + to * this.#cellCount;
        const own = (rows) => [...rows].filter(([, row]) => partOf(row.slot, log2) === to);
        // With fewer parts than before, those of several come together; the ticks are those of the first.
        const { tick, rows, before: earlier } = this.cells.get(id) ?? { ...one, rows: [], before: one.before && { ...one.before, rows: [] } };
        const earlierRows = earlier && sorted([...earlier.rows, ...own(one.before?.rows ?? [])]);
        this.cells.set(id, { tick, rows: sorted([...rows, ...own(one.rows)]), before: earlier && { ...earlier, rows: earlierRows } });
      }
    }
    if (log2 > 0) this.#parts.set(cell, log2);
    else this.#parts.delete(cell);
    for (const transit of this.#inTransit.values()) if (transit.to % this.#cellCount === cell) transit.to = this.#partId(cell, transit.row.slot);
  }

  #readDeferred({ deferred_cells, deferred_bits }) {
    if (deferred_bits.length === 0) return new Set(deferred_cells);
    check(deferred_bits.length === Math.ceil(this.cells.size / 8), "there is not one bit for each cell");
    const ids = [...this.cells.keys()].sort((a, b) => a - b);
    return new Set(ids.filter((_, index) => (deferred_bits[index >> 3] >> (index & 7)) & 1));
  }

  #noteLeft(deferred) {
    for (const [id, { to }] of this.#inTransit) if (!deferred.has(to)) this.#inTransit.delete(id);
    for (const { row, to: cell } of this.#left) {
      const to = cell === undefined ? undefined : this.#partId(cell, row.slot);
      if (to === undefined) {
        this.#inTransit.delete(idOf(row));
        this.#gone.set(idOf(row), this.tick);
      } else if (deferred.has(to)) {
        this.#inTransit.set(idOf(row), { row, tick: this.tick, to });
      }
    }
  }

  #leave(row, toCellPlusOne) {
    this.#left.push({ row, to: toCellPlusOne === 0 ? undefined : toCellPlusOne - 1 });
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
    for (const left of block.left) {
      const row = rows.get(keyOf(left));
      check(row, "a row that is not there left");
      rows.delete(keyOf(left));
      this.#leave(row, left.to_cell_plus_one);
    }
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
          const toCellPlusOne = bits.number();
          this.#leave(rows[position], toCellPlusOne);
          note(toCellPlusOne === 0 ? "left: gone" : "left: to a cell");
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
        const residual = isSent[index] ? code.read(bits, isPredicted) : 0;
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
}

const sorted = (rows) => new Map([...rows].sort(([a], [b]) => a - b));
