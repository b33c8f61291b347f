// Plays the conformance game of a real server over a real WebSocket, with the reader of this folder: an example of how to try a client.
//
//   node --experimental-websocket web/test/protocol/conformance.mjs [--plain] [--whole-cells] [--seconds N] ws://127.0.0.1:7777/ws?room=mine
//
// In: the snapshots of `tickwire-server --game conformance --hash-every-snapshot`. Out: after one run of the script a summary in JSON, and
// exit code 0. It ends with the first snapshot that is wrong, with a connection that ends, and after `--seconds` in any case: exit code 1,
// and a sentence on standard error. (Node 22 and later need no flag for WebSocket.)

import { pathToFileURL } from "node:url";
import { check } from "./bits.mjs";
import { Client } from "./client.mjs";
import { InputClock } from "./input-clock.mjs";
import { readFields, writeFields, writeInput } from "./payloads.mjs";
import { decode, encode } from "./protobuf.mjs";

const [PLAIN, PACKED] = [1, 2];
const GLOBAL_CELL = 0;
const SCRIPT_TICKS = 600;
/** From when on no ack goes out, and for how many ticks: the view blinks meanwhile, so a cell is dropped and added in one snapshot. */
const WITHHELD = { from: 380, before: 390, ticks: 45 };
/** When this client plays a thin line, and how many bytes a second that carries: cells are deferred then, and go in parts. */
const THIN = { from: 505, bytesPerSecond: 4_000 };
/** When this client asks for a full snapshot, as one would whose view was wrong. */
const RESYNC_AT = 520;
const MAX_INPUT_BURST = 8;
const PING_EVERY_US = 1_000_000;

/**
 * Plays one run of the script. `alter` can change each snapshot before it is applied, to see what becomes of a wrong one. Resolves to a summary; rejects
 * with what was wrong. Ends within `seconds` in any case.
 */
export function play(url, { isPlain = false, takesParts = true, seconds = 45, alter = () => {} } = {}) {
  const socket = new WebSocket(url, "tickwire.v1");
  socket.binaryType = "arraybuffer";
  const run = new Run(socket, { isPlain, takesParts, alter });
  return new Promise((done, fail) => {
    let isOver = false;
    const end = (settle, outcome) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(limit);
      clearInterval(ticks);
      if (socket.readyState === WebSocket.OPEN) run.send("leave", {});
      socket.close();
      settle(outcome);
    };
    const limit = setTimeout(() => end(fail, new Error(`the script did not end within ${seconds} s: ${run.where}`)), seconds * 1_000);
    // What throws ends the run: nothing is tried again.
    const guarded = (act) => (event) => {
      try {
        if (!isOver) act(event);
        if (run.isComplete) end(done, run.summary);
      } catch (error) {
        end(fail, new Error(`${error.message}: ${run.where}`));
      }
    };
    const ticks = setInterval(guarded(() => run.wake()), 2);
    socket.onopen = guarded(() => run.open());
    socket.onmessage = guarded(({ data }) => run.arrive(new Uint8Array(data)));
    socket.onclose = ({ code, reason }) => end(fail, new Error(`the connection ended with ${code} ${reason}: ${run.where}`));
    socket.onerror = () => end(fail, new Error(`the connection to ${url} failed: ${run.where}`));
  });
}

/** One connection, from `Hello` to the end of the script. */
class Run {
  isComplete = false;
  #socket;
  #options;
  #welcome;
  #helloAt = 0;
  #roundTrip = 0;
  /** The server's clock minus this one's, in microseconds. */
  #offset = 0;
  #map = [];
  #client;
  #clock;
  #nextTick = 0;
  #seq = 0;
  #received = { tick: 0, at: 0 };
  /** Messages on the line, and when they have arrived. */
  #line = [];
  #withheld;
  #hasAskedForAll = false;
  #pingedAt = 0;
  /** How many ticks of the script had passed at the newest snapshot. */
  #scriptTicks = 0;
  #commands = 0;
  #before = new Map();
  #reached = new Set();
  #seen = {};

  constructor(socket, options) {
    this.#socket = socket;
    this.#options = options;
  }

  get where() {
    const { tick, cells } = this.#client ?? { tick: 0, cells: new Map() };
    return `at tick ${tick}, ${this.#scriptTicks} ticks after the script began, with ${cells.size} cells, after ${this.#seen["snapshots"] ?? 0} snapshots`;
  }

  get summary() {
    return { snapshots: this.#seen["snapshots"], mismatches: 0, seen: this.#seen, reached: [...this.#reached].sort() };
  }

  /** Where the script was at the newest snapshot. The row that says it stands at its cell's tick, which can be older. */
  #followScript() {
    const client = this.#client;
    const kind = client.schema.kinds.findIndex(({ name }) => name === "tally");
    const { tick, rows } = client.cells.get(GLOBAL_CELL) ?? { rows: new Map() };
    const row = [...rows.values()].find((row) => row.kind === kind);
    if (!row) return;
    const [at, run] = row.lanes;
    this.#scriptTicks = run * SCRIPT_TICKS + at + client.tick - tick;
  }

  send(body, fields) {
    this.#socket.send(encode("ClientMessage", { [body]: fields }));
  }

  open() {
    const { isPlain, takesParts } = this.#options;
    this.#helloAt = now();
    this.send("hello", { version: 1, name: "Stranger", encoding: isPlain ? PLAIN : PACKED, map_parts: true, cell_parts: takesParts });
  }

  /** Takes a message from the socket. It arrives later where this client plays a thin line. */
  arrive(bytes) {
    const at = this.scriptAt;
    const takes = at >= THIN.from ? (bytes.length * 1e6) / THIN.bytesPerSecond : 0;
    this.#line.push({ at: Math.max(now(), this.#line.at(-1)?.at ?? 0) + takes, bytes });
    this.wake();
  }

  get scriptAt() {
    return this.#scriptTicks % SCRIPT_TICKS;
  }

  /** Does what is due. */
  wake() {
    while (this.#line.length > 0 && this.#line[0].at <= now()) this.#receive(this.#line.shift());
    if (!this.#clock) return;
    const due = this.#clock.advance(now());
    this.#nextTick = Math.max(this.#nextTick, due - MAX_INPUT_BURST + 1);
    for (; this.#nextTick <= due; this.#nextTick++) this.#sendInput(this.#nextTick);
    if (now() - this.#pingedAt > PING_EVERY_US) {
      this.#pingedAt = now();
      this.send("ping", { stamp: BigInt(Math.floor(this.#pingedAt)) });
    }
  }

  #receive({ at, bytes }) {
    const message = decode("ServerMessage", bytes);
    const [body, fields] = Object.entries(message).find(([, value]) => value !== undefined) ?? [];
    this.#count(`message ${body}`);
    if (body === "welcome") this.#takeWelcome(fields, at);
    if (body === "map_part") this.#takeMap(fields.bytes);
    if (body === "codebooks") this.#client.updateCodebooks(fields);
    if (body === "message") this.#takeMessage(fields);
    if (body === "goodbye") throw new Error(`the server goes away: ${fields.reason}`);
    if (body === "snapshot") this.#takeSnapshot(fields, at);
  }

  #takeWelcome(welcome, at) {
    check(welcome.game === "conformance", `the server plays ${welcome.game}; start it with --game conformance --hash-every-snapshot`);
    this.#welcome = welcome;
    this.#roundTrip = at - this.#helloAt;
    this.#offset = Number(welcome.clock_us) + this.#roundTrip / 2 - at;
    this.#client = new Client(welcome, this.#reached);
    if (welcome.map_bytes === 0) this.#takeMap(welcome.map);
  }

  #takeMap(bytes) {
    this.#map.push(...bytes);
    if (this.#map.length < this.#welcome.map_bytes) return;
    check(this.#map.every((byte, index) => byte === index % 251), "the map is not byte n modulo 251");
    const { tick_rate, tick_zero_us } = this.#welcome;
    const arrival = now() + this.#offset + this.#roundTrip / 2 - Number(tick_zero_us);
    this.#clock = new InputClock(tick_rate, now(), (arrival * tick_rate) / 1e6);
    this.#nextTick = this.#clock.advance(now());
  }

  #takeMessage({ chat, game }) {
    if (chat !== undefined) return this.#count("chat");
    const kind = this.#client.schema.messages[game[0]];
    readFields(kind.fields, game.subarray(1));
    return this.#count(`game message ${kind.name}`);
  }

  #sendInput(tick) {
    this.#seq += 1;
    const at = this.scriptAt;
    if (!this.#withheld && at >= WITHHELD.from && at < WITHHELD.before) this.#withheld = { until: tick + WITHHELD.ticks, ack: this.#received };
    const received = tick < this.#withheld?.until ? this.#withheld.ack : this.#received;
    const values = [(this.#seq % 3) - 1, this.#seq % 2, this.#seq % 1000, this.#seq];
    this.send("inputs", {
      seq: this.#seq,
      target_tick: tick,
      received_tick: received.tick,
      received_at_us: Math.floor(received.at) % 2 ** 32,
      view_tick: Math.max(0, this.#received.tick - 2),
      payload: writeInput(this.#client.schema.input, values),
    });
  }

  #takeSnapshot(snapshot, at) {
    const client = this.#client;
    check(snapshot.view_hash !== undefined, "a snapshot has no view hash; start the server with --hash-every-snapshot");
    this.#options.alter(snapshot);
    const outcome = client.apply(snapshot);
    check(outcome === "applied", `snapshot ${outcome}, as ${client.problem}`);
    this.#received = { tick: client.tick, at };
    if (client.inputMargin !== undefined) this.#clock.report(client.tick, client.inputMargin / 16);
    this.#followScript();
    this.#note(snapshot);
    this.#act();
    this.isComplete = this.#scriptTicks >= SCRIPT_TICKS;
  }

  /** Sends chat and commands now and then, and once asks for a full snapshot. */
  #act() {
    if (this.#seen["snapshots"] === 10) this.send("chat", { text: "hello, Zoë 🚀" });
    if (this.#scriptTicks / 100 > this.#commands + 1) {
      this.#commands += 1;
      const { fields } = this.#client.schema.commands[1];
      this.send("command", { number: this.#commands, payload: writeFields(fields, ["a word", -this.#commands], 1) });
    }
    if (this.#scriptTicks >= RESYNC_AT && !this.#hasAskedForAll) {
      this.#hasAskedForAll = true;
      this.send("resync", { tick: this.#client.tick });
    }
  }

  #count(what, isSeen = true) {
    if (isSeen) this.#seen[what] = (this.#seen[what] ?? 0) + 1;
  }

  /** Notes which parts of the protocol a snapshot had. */
  #note(snapshot) {
    const { schema, cells, events, owned } = this.#client;
    const fields = ["added_cells", "dropped_cells", "deferred_cells", "cell_parts", "deferred_bits", "owned", "blocks", "packed"];
    for (const field of fields) this.#count(field, snapshot[field].length > 0);
    this.#count("snapshots");
    this.#count("full_snapshot", snapshot.full_snapshot);
    this.#count("a cell dropped and added at once", snapshot.added_cells.some((cell) => snapshot.dropped_cells.includes(cell)));
    this.#count("a cell that is whole again", snapshot.cell_parts.some((parts) => (parts & 7) === 0));
    for (const { kind, payload } of events) {
      const { name, described, fields: of } = schema.events[kind];
      if (described) readFields(of, payload);
      this.#count(`event ${name}`);
    }
    // The lanes are the fields of the newest input: the fourth is its seq.
    const level = owned[0]?.lanes[3];
    this.#count("an input that came back", level > 0 && level <= this.#seq);
    const rows = new Map();
    for (const { rows: of } of cells.values()) for (const row of of.values()) rows.set(`${row.kind}/${row.slot}`, row);
    for (const [key, row] of rows) {
      const old = this.#before.get(key);
      if (!old || old === row) continue;
      this.#count("a slot reused", old.generation !== row.generation);
      this.#count("a text that changed", old.generation === row.generation && old.texts.some((text, index) => text !== row.texts[index]));
    }
    this.#before = rows;
  }
}

const now = () => performance.now() * 1_000;

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const words = process.argv.slice(2);
  const option = (name) => words.includes(name);
  const seconds = option("--seconds") ? Number(words[words.indexOf("--seconds") + 1]) : 45;
  const url = words.find((word) => word.startsWith("ws")) ?? "ws://127.0.0.1:7777/ws?room=conformance";
  try {
    const { reached, ...summary } = await play(url, { isPlain: option("--plain"), takesParts: !option("--whole-cells"), seconds });
    console.log(JSON.stringify({ ...summary, cornersOfPackedBlocks: reached.length }, null, 2));
    process.exit(0);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
