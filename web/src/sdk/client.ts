// One session of any game: the wasm core, its sockets, and its clock.
//
// In: the page's events and the app's calls. Out: typed events, and the world to draw. Decides nothing: it carries out the core's
// actions and passes on its events. The functions stand in the order of a session: load, join, play, leave.

import init, { ActionKind, PhaseKind, SessionEventKind, WasmClient, type InitOutput } from "../wasm/tickwire.js";
import { SessionClock } from "./clock.js";
import { Emitter } from "./emitter.js";
import { Frame, Texts } from "./frame.js";
import { RulesLoader } from "./rules-loader.js";
import { useCoreMemory } from "./rules.js";
import { NO_SCHEMA, type Schema, schemaOf } from "./schema.js";
import { Sockets } from "./sockets.js";
import type { ClientEvents, Errors, Phase, Status } from "./types.js";

export interface ClientOptions {
  /** Address of the WebSocket: ws or wss (or http or https, with the same meaning), or a path on the page's server that begins with /. Default: `ws` beside the page. */
  url?: string;
  /** Room name. Default: the server's. */
  room?: string;
  /** Display name. Default: the server picks one. */
  name?: string;
  /** Signed ticket, where the server demands one. Set {@link TickwireClient.ticket} before it expires. */
  ticket?: string;
  /** Watch without playing. */
  spectate?: boolean;
}

/** Interval of polling the core beside every frame: a 30 Hz display must not make 30 inputs a second. */
const POLL_INTERVAL_MS = 8;

const PHASES: Record<PhaseKind, Phase> = {
  [PhaseKind.Connecting]: "connecting",
  [PhaseKind.Playing]: "playing",
  [PhaseKind.Reconnecting]: "reconnecting",
  [PhaseKind.Closed]: "closed",
};

/** Limits of the server. */
const MAX_INPUT_BYTES = 64;
const MAX_COMMAND_BYTES = 4000;
const PROTOCOLS = new Set(["ws:", "wss:"]);

let core: Promise<InitOutput> | undefined;

/**
 * Loads the wasm core, once for all sessions. `connect` does so by itself. `from`: the address of `tickwire_bg.wasm`, or its bytes;
 * default: beside the script. Calls after a successful one change nothing.
 */
export async function loadCore(from?: string | URL | Uint8Array<ArrayBuffer>): Promise<void> {
  await coreLoaded(from);
}

function coreLoaded(from?: string | URL | Uint8Array<ArrayBuffer>): Promise<InitOutput> {
  core ??= init(from && { module_or_path: from }).catch((error: unknown) => {
    // The next call tries again.
    core = undefined;
    throw error;
  });
  return core;
}

/**
 * A session of any game. {@link TickwireClient.sample} gives the world to draw: others a little in the past, the player's own entity as
 * predicted by the room's rules, which come from the server. While they are loading, or where there are none, it is as old as all
 * others; {@link TickwireClient.predictionNote} says why.
 */
export class TickwireClient extends Emitter<ClientEvents> {
  readonly #core: WasmClient;
  readonly #sockets: Sockets;
  readonly #clock = new SessionClock();
  readonly #texts: Texts;
  readonly #rules: RulesLoader;
  /** Aborted when the session is over. */
  readonly #closing = new AbortController();
  #schema = NO_SCHEMA;
  #timer: ReturnType<typeof setInterval> | undefined;
  #phase: Phase = "connecting";

  /** Starts a session. Listen to `phase` and `joined`. Rejects with a TypeError if `url` cannot be the address of a WebSocket. */
  static async connect(options: ClientOptions = {}): Promise<TickwireClient> {
    const { url, room } = options;
    const address = url === undefined || url === null ? addressBesidePage(text(room)) : checkedAddress(String(url));
    const { memory } = await coreLoaded();
    useCoreMemory(memory);
    return new TickwireClient(address, options);
  }

  private constructor(address: string, options: ClientOptions) {
    super();
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    const { room, name, ticket, spectate = false } = options;
    this.#core = new WasmClient(text(room), text(name), text(ticket), spectate, seed, this.#clock.now());
    this.#texts = new Texts(this.#core);
    this.#rules = new RulesLoader(
      this.#core,
      address,
      this.#closing.signal,
      () => this.#schema.kinds.map(({ name }) => name),
      (call) => this.#update(call),
      () => this.#clock.now(),
    );
    this.#sockets = new Sockets(address, {
      opened: (link) => this.#update(() => this.#core.opened(link, this.#clock.now())),
      received: (link, message) => this.#update(() => this.#core.received(link, message, this.#clock.now())),
      closed: (link, code, reason) => this.#update(() => this.#core.closed(link, code, reason, this.#clock.now())),
    });
    this.#timer = setInterval(() => this.poll(), POLL_INTERVAL_MS);
    this.#listenToPage();
    // In a microtask, so that the caller can add listeners first.
    queueMicrotask(() => this.poll());
  }

  #listenToPage(): void {
    const { signal } = this.#closing;
    const updateVisibility = () => {
      if (document.visibilityState === "hidden") this.#core.hide();
      else this.#core.show(this.#clock.now());
      this.poll();
    };
    const probeNow = () => {
      this.#core.probe_now(this.#clock.now());
      this.poll();
    };
    addEventListener("visibilitychange", updateVisibility, { signal });
    addEventListener("online", probeNow, { signal });
    addEventListener(
      "pageshow",
      (event) => {
        if (!event.persisted) return;
        updateVisibility();
        probeNow();
      },
      { signal },
    );
    // A page that is closed for good leaves. One that may return from the back-forward cache keeps its session.
    addEventListener("pagehide", (event) => event.persisted || this.leave(), { signal });
    updateVisibility();
  }

  /** Runs what is due now: connecting, and the inputs of the ticks that have come. A timer calls it; call it in every frame too, before drawing. */
  poll(): void {
    this.#update(() => this.#core.poll(this.#clock.now()));
  }

  /** Calls the core, then carries out its actions and emits its events. */
  #update(call: () => void): void {
    if (this.#closing.signal.aborted) return;
    call();
    this.#performActions();
    this.#emitEvents();
  }

  #performActions(): void {
    for (;;) {
      const action = this.#core.next_action();
      const link = this.#core.action_link;
      switch (action) {
        case ActionKind.None:
          return;
        case ActionKind.Open:
          this.#sockets.open(link);
          break;
        case ActionKind.Send:
          this.#sockets.send(link, this.#core.take_message() as Uint8Array<ArrayBuffer>);
          break;
        case ActionKind.Close:
          this.#sockets.close(link);
          break;
      }
    }
  }

  #emitEvents(): void {
    const phase = PHASES[this.#core.phase];
    if (phase !== this.#phase) {
      this.#phase = phase;
      if (phase === "closed") this.#end();
      this.emit("phase", { phase, closeCode: this.#core.close_code, closeReason: this.#core.close_reason });
    }
    const core = this.#core;
    for (;;) {
      switch (core.next_event()) {
        case SessionEventKind.None:
          return;
        case SessionEventKind.Joined:
          this.#schema = schemaOf(core);
          this.#rules.check();
          this.emit("joined", { resumed: core.event_number === 1 });
          break;
        case SessionEventKind.Chat:
          this.emit("chat", { session: core.event_number, name: core.event_name, text: core.event_text });
          break;
        case SessionEventKind.Notice:
          this.emit("notice", { text: core.event_text });
          break;
        case SessionEventKind.GameEvent: {
          const kind = this.#schema.events[core.event_number] ?? "";
          this.emit("event", { kind, tick: core.event_tick, payload: core.take_event_payload() });
          break;
        }
        case SessionEventKind.Prediction:
          this.emit("prediction", { isPredicting: core.event_text === "", note: core.event_text });
          break;
        case SessionEventKind.GameMessage:
          this.emit("message", { payload: core.take_event_payload() });
          break;
      }
    }
  }

  /** Sets the input of every tick from the next one on: at most 64 bytes, in the game's own encoding. */
  input(payload: Uint8Array): void {
    checkInput(payload);
    this.#core.input(payload);
  }

  /**
   * Sets the input of one tick, the next one: a jump, a shot. After it the input of {@link input} goes on. Several such inputs get a tick
   * each, in order; when 64 wait already (in a hidden tab, for instance, no ticks come), another one is a RangeError. Inputs that still
   * wait when the session joins, for the first time or again, are dropped: send what must arrive as a {@link command}. Of several ticks
   * that are due at once, after a hitch, the newest carries the last one.
   */
  inputOnce(payload: Uint8Array): void {
    checkInput(payload);
    if (!this.#core.input_once(payload)) throw new RangeError("too many inputs of one tick are waiting");
  }

  /**
   * Sends the game a command: anything that is not the input of a tick, e.g. a purchase; at most 4,000 bytes, in the game's own encoding.
   * Commands arrive once and in order. Without a connection they follow when there is one, unless the session is over by then.
   */
  command(payload: Uint8Array): void {
    if (payload.length > MAX_COMMAND_BYTES) throw new RangeError(`a command has at most ${MAX_COMMAND_BYTES} bytes, not ${payload.length}`);
    this.#update(() => this.#core.command(payload));
  }

  /** The world to draw now. The frame is valid until the next call. */
  sample(): Frame {
    this.#core.sample(this.#clock.now());
    this.#texts.beginFrame();
    return new Frame(this.#core, this.#schema, this.#texts);
  }

  /** Sends a chat line to the room. */
  chat(line: string): void {
    this.#update(() => this.#core.chat(text(line)));
  }

  /** Replaces the ticket for future connections: nobody can reconnect with an expired one. */
  set ticket(ticket: string) {
    this.#core.ticket = text(ticket);
  }

  /** Leaves the room and ends the session. */
  leave(): void {
    this.#update(() => this.#core.leave());
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#closing.abort();
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Why there is no connection, for people; empty if there is one or the reason is unknown. */
  get lastError(): string {
    return this.#core.last_error;
  }

  /** The session's number in the room. */
  get session(): number {
    return this.#core.session;
  }

  /** The game that the room plays; empty before `joined`. */
  get game(): string {
    return this.#core.game;
  }

  /** The game's kinds of entity and of event; none before `joined`. */
  get schema(): Schema {
    return this.#schema;
  }

  /** The game's map, in its own encoding. */
  map(): Uint8Array {
    return this.#core.map();
  }

  /** The player's entity as one number: its kind in the upper 8 bits, its slot below, as in `Row.id`; undefined for spectators. */
  get playerId(): number | undefined {
    return this.playerSlot === undefined ? undefined : this.#core.player_id;
  }

  /** The player's slot; undefined for spectators. */
  get playerSlot(): number | undefined {
    return this.#core.player_slot;
  }

  /** The player's name as the server has it. */
  get name(): string {
    return this.#core.name;
  }

  get room(): string {
    return this.#core.room;
  }

  get isSpectator(): boolean {
    return this.#core.is_spectator;
  }

  /** The entity that is predicted, as one number like {@link Row.id}; undefined while there is none. */
  get predictedId(): number | undefined {
    return this.#core.predicted_id;
  }

  /** Why the player's own movement is not predicted, for people; empty while it is, and where there is nothing to predict. */
  get predictionNote(): string {
    return this.#core.prediction_note;
  }

  /** Whether the player's own movement is predicted: the room's rules are loaded. */
  get isPredicting(): boolean {
    return this.#core.is_predicting;
  }

  /** The number of the newest input made, as the server knows it: an event of the game may name the input that caused it. */
  get inputNumber(): number {
    return this.#core.input_number;
  }

  /**
   * How many inputs' positions were confirmed, and how many of those had first been predicted more than `bound` away (in lane units);
   * the same for the steps that the newest position made as more was known of neighbours, which the screen smooths.
   */
  predictionErrors(bound: number): { inputs: Errors; replays: Errors } {
    const errors = ([count = 0, beyond = 0]: ArrayLike<number> & Iterable<number>): Errors => ({ count, beyond });
    return { inputs: errors(this.#core.input_errors(bound)), replays: errors(this.#core.replay_errors(bound)) };
  }

  status(): Status {
    const core = this.#core;
    return {
      phase: this.#phase,
      tick: core.tick,
      entities: core.entities,
      rttMs: core.rtt_ms,
      jitterMs: core.jitter_ms,
      inputMarginTicks: core.input_margin_ticks,
      interpolationDelayMs: core.interpolation_delay_ms,
      snapshotAgeMs: core.snapshot_age_ms,
      snapshotGapMs: core.snapshot_gap_ms,
      predictedInputs: core.predicted_inputs,
      comparedPredictions: core.compared,
      corrections: core.corrections,
      viewMismatches: core.view_mismatches,
      protocolErrors: core.protocol_errors,
      bytesIn: core.bytes_in,
      bytesOut: core.bytes_out,
    };
  }
}

/** Makes a string of whatever an untyped script gives; null and undefined become empty. */
function text(given: string | null | undefined): string {
  return String(given ?? "");
}

function checkInput({ length }: Uint8Array): void {
  if (length > MAX_INPUT_BYTES) throw new RangeError(`an input has at most ${MAX_INPUT_BYTES} bytes, not ${length}`);
}

/** The address in the form that every browser accepts. An invalid one is refused here: the core would retry it forever. */
function checkedAddress(given: string): string {
  let url: URL | undefined;
  try {
    url = new URL(given, given.startsWith("/") ? document.baseURI : undefined);
    url.protocol = url.protocol.replace(/^http/, "ws");
    url.hash = "";
  } catch {
    // Handled below, like a wrong protocol.
  }
  if (!url || !PROTOCOLS.has(url.protocol)) {
    throw new TypeError(`"${given}" is no address of a WebSocket: use one like wss://game.example/ws`);
  }
  return url.href;
}

/** `ws` beside the page, over TLS if the page is. */
function addressBesidePage(room: string): string {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = room ? `?room=${encodeURIComponent(room)}` : "";
  url.hash = "";
  return url.href;
}
