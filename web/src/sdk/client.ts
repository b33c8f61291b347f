// One session of any game: the wasm core, its sockets, and its clock.
//
// The core decides everything; this carries out its actions and passes on what happens. The functions stand in the order
// of a session: load, join, keep going, leave. What only the arena has is in arena.ts.

import init, { ActionKind, NewsKind, PhaseKind, WasmClient, type InitOutput } from "../wasm/tickwire.js";
import { SessionClock } from "./clock.js";
import { Emitter } from "./emitter.js";
import { Frame, Texts } from "./frame.js";
import { NO_SCHEMA, type Schema, schemaOf } from "./schema.js";
import { Sockets } from "./sockets.js";
import type { ClientEvents, Phase, Status } from "./types.js";

export interface ClientOptions {
  /** Address of the WebSocket: ws or wss (http and https mean the same), or a path beginning with / on the page's server. Default: `ws` beside the page. */
  url?: string;
  /** Default: the server's. */
  room?: string;
  name?: string;
  /** Where the server demands one. One that runs out before the game does is renewed by {@link TickwireClient.ticket}. */
  ticket?: string;
  /** Watch without playing. */
  spectate?: boolean;
}

/** How often the core is asked what is due, besides every frame: a 30 Hz display must not make 30 inputs a second. */
const PUMP_INTERVAL_MS = 8;

const PHASES: Record<PhaseKind, Phase> = {
  [PhaseKind.Connecting]: "connecting",
  [PhaseKind.Playing]: "playing",
  [PhaseKind.Reconnecting]: "reconnecting",
  [PhaseKind.Closed]: "closed",
};

/** What the server takes of an input, and of a command. */
const MAX_INPUT_BYTES = 64;
const MAX_COMMAND_BYTES = 4000;
const PROTOCOLS = new Set(["ws:", "wss:"]);

let core: Promise<InitOutput> | undefined;

/**
 * Loads the wasm core; once, however often it is asked for. `connect` does so by itself. `from`: where
 * `tickwire_bg.wasm` is, or its bytes; default: beside the script. Later calls change nothing.
 */
export async function loadCore(from?: string | URL | Uint8Array<ArrayBuffer>): Promise<void> {
  await loaded(from);
}

function loaded(from?: string | URL | Uint8Array<ArrayBuffer>): Promise<InitOutput> {
  core ??= init(from && { module_or_path: from }).catch((error: unknown) => {
    // The next call tries again.
    core = undefined;
    throw error;
  });
  return core;
}

/** @internal The core behind a session, for the arena's layer. */
export let insideOf: (client: TickwireClient) => { core: WasmClient; memory: WebAssembly.Memory };

/**
 * A session of any game. The screen is {@link TickwireClient.look}, a little in the past; the game's own movement is not
 * predicted, as its rules are not in this core (the arena's are: see `Arena`).
 */
export class TickwireClient extends Emitter<ClientEvents> {
  static {
    insideOf = (client) => ({ core: client.#core, memory: client.#memory });
  }

  readonly #core: WasmClient;
  readonly #memory: WebAssembly.Memory;
  readonly #sockets: Sockets;
  readonly #clock = new SessionClock();
  readonly #texts: Texts;
  readonly #ends = new AbortController();
  #schema = NO_SCHEMA;
  #timer: ReturnType<typeof setInterval> | undefined;
  #phase: Phase = "connecting";

  /** Starts a session. Listen to `phase` and `joined`. Rejects with a TypeError if `url` is no address of a WebSocket. */
  static async connect(options: ClientOptions = {}): Promise<TickwireClient> {
    const { url, room } = options;
    const address = url === undefined || url === null ? addressBesidePage(text(room)) : checkedAddress(String(url));
    return new TickwireClient(address, options, (await loaded()).memory);
  }

  private constructor(address: string, options: ClientOptions, memory: WebAssembly.Memory) {
    super();
    this.#memory = memory;
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    const { room, name, ticket, spectate = false } = options;
    this.#core = new WasmClient(text(room), text(name), text(ticket), spectate, seed, this.#clock.now());
    this.#texts = new Texts(this.#core);
    this.#sockets = new Sockets(address, {
      opened: (link) => this.#did(() => this.#core.opened(link, this.#clock.now())),
      received: (link, message) => this.#did(() => this.#core.received(link, message, this.#clock.now())),
      closed: (link, code, reason) => this.#did(() => this.#core.closed(link, code, reason, this.#clock.now())),
    });
    this.#timer = setInterval(() => this.pump(), PUMP_INTERVAL_MS);
    this.#listenToPage();
    // After the caller had a chance to listen.
    queueMicrotask(() => this.pump());
  }

  #listenToPage(): void {
    const { signal } = this.#ends;
    const look = () => {
      if (document.visibilityState === "hidden") this.#core.hide();
      else this.#core.show(this.#clock.now());
      this.pump();
    };
    const hurry = () => {
      this.#core.hurry(this.#clock.now());
      this.pump();
    };
    addEventListener("visibilitychange", look, { signal });
    addEventListener("online", hurry, { signal });
    addEventListener(
      "pageshow",
      (event) => {
        if (!event.persisted) return;
        look();
        hurry();
      },
      { signal },
    );
    // A page that goes for good says so; one that may come back (from the back-forward cache) keeps its session.
    addEventListener("pagehide", (event) => event.persisted || this.leave(), { signal });
    look();
  }

  /** Does what is due now. Called by a timer; call it from every frame too, before drawing it. */
  pump(): void {
    this.#did(() => this.#core.pump(this.#clock.now()));
  }

  /** After every call of the core: its actions, its news. */
  #did(call: () => void): void {
    if (this.#ends.signal.aborted) return;
    call();
    this.#act();
    this.#tell();
  }

  #act(): void {
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

  #tell(): void {
    const phase = PHASES[this.#core.phase];
    if (phase !== this.#phase) {
      this.#phase = phase;
      if (phase === "closed") this.#end();
      this.emit("phase", { phase, closeCode: this.#core.close_code, closeReason: this.#core.close_reason });
    }
    const core = this.#core;
    for (;;) {
      switch (core.next_news()) {
        case NewsKind.None:
          return;
        case NewsKind.Joined:
          this.#schema = schemaOf(core);
          this.emit("joined", { resumed: core.news_number === 1 });
          break;
        case NewsKind.Chat:
          this.emit("chat", { session: core.news_number, name: core.news_name, text: core.news_text });
          break;
        case NewsKind.Notice:
          this.emit("notice", { text: core.news_text });
          break;
        case NewsKind.Event: {
          const kind = this.#schema.events[core.news_number] ?? "";
          this.emit("event", { kind, tick: core.news_tick, payload: core.take_news_payload() });
          break;
        }
        case NewsKind.Message:
          this.emit("message", { payload: core.take_news_payload() });
          break;
      }
    }
  }

  /** The input of every tick from the next one on, until another is given: at most 64 bytes, in the game's own encoding. */
  input(payload: Uint8Array): void {
    checkInput(payload);
    this.#core.input(payload);
  }

  /**
   * The input of one tick, the next one: a jump, a shot. Then what {@link input} said goes on. Called several times, each has a tick of its own,
   * in order; when 64 wait already (no ticks come, in a hidden tab for instance), one more is a RangeError. What has found no tick when
   * the session joins, for the first time or again, is dropped: what must arrive is a {@link command}.
   */
  inputOnce(payload: Uint8Array): void {
    checkInput(payload);
    if (!this.#core.input_once(payload)) throw new RangeError("too many inputs of one tick wait for theirs");
  }

  /**
   * Tells the game something that is no input of a tick (a purchase, a choice of team): at most 4,000 bytes, in the game's own encoding. It
   * arrives once and in order; what is said without a connection follows as soon as there is one, unless the session is over by then.
   */
  command(payload: Uint8Array): void {
    if (payload.length > MAX_COMMAND_BYTES) throw new RangeError(`a command has at most ${MAX_COMMAND_BYTES} bytes, not ${payload.length}`);
    this.#did(() => this.#core.command(payload));
  }

  /** The world as it is to be drawn now. Good until the next look. */
  look(): Frame {
    this.#core.look(this.#clock.now());
    this.#texts.begin();
    return new Frame(this.#core, this.#schema, this.#texts);
  }

  chat(line: string): void {
    this.#did(() => this.#core.chat(text(line)));
  }

  /** Another ticket, for the connections to come: one that has run out lets nobody come back. */
  set ticket(ticket: string) {
    this.#core.ticket = text(ticket);
  }

  /** Leaves the room for good. */
  leave(): void {
    this.#did(() => this.#core.leave());
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#ends.abort();
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Why there is no connection, for people; empty: there is one, or nobody said why. */
  get trouble(): string {
    return this.#core.trouble;
  }

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

  get name(): string {
    return this.#core.name;
  }

  get room(): string {
    return this.#core.room;
  }

  get isSpectator(): boolean {
    return this.#core.is_spectator;
  }

  /** Whether the own movement is predicted: in the arena, if the page is of the server's version; never in another game. */
  get isPredicting(): boolean {
    return this.#core.is_predicting;
  }

  status(): Status {
    const core = this.#core;
    return {
      phase: this.#phase,
      tick: core.tick,
      entities: core.entities,
      rttMs: core.rtt_ms,
      jitterMs: core.jitter_ms,
      marginTicks: core.margin_ticks,
      interpolationDelayMs: core.interpolation_delay_ms,
      snapshotAgeMs: core.snapshot_age_ms,
      snapshotGapMs: core.snapshot_gap_ms,
      corrections: core.corrections,
      viewMismatches: core.view_mismatches,
      protocolErrors: core.protocol_errors,
      bytesIn: core.bytes_in,
      bytesOut: core.bytes_out,
    };
  }
}

/** What the core takes for a text; scripts without types give anything. Empty: none. */
function text(given: string | null | undefined): string {
  return String(given ?? "");
}

function checkInput({ length }: Uint8Array): void {
  if (length > MAX_INPUT_BYTES) throw new RangeError(`an input has at most ${MAX_INPUT_BYTES} bytes, not ${length}`);
}

/** The address in the form that every browser takes. One that is none would be tried for ever. */
function checkedAddress(given: string): string {
  let url: URL | undefined;
  try {
    url = new URL(given, given.startsWith("/") ? document.baseURI : undefined);
    url.protocol = url.protocol.replace(/^http/, "ws");
    url.hash = "";
  } catch {
    // Not even an address.
  }
  if (!url || !PROTOCOLS.has(url.protocol)) {
    throw new TypeError(`"${given}" is no address of a WebSocket: it has to look like wss://game.example/ws`);
  }
  return url.href;
}

/** `ws` beside the page, over TLS if the page came so. */
function addressBesidePage(room: string): string {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = room ? `?room=${encodeURIComponent(room)}` : "";
  url.hash = "";
  return url.href;
}
