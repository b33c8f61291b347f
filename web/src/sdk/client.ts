// One session: the wasm core, its sockets, and its clock.
//
// The core decides everything; this carries out its actions and passes on what happens. The functions stand in the order
// of a session: load, join, keep going, leave.

import init, { ActionKind, NewsKind, PhaseKind, WasmClient, type InitOutput } from "../wasm/tickwire.js";
import { SessionClock } from "./clock.js";
import { Emitter } from "./emitter.js";
import { Frame } from "./frame.js";
import { Sockets } from "./sockets.js";
import type { ClientEvents, Phase, PlayerRow, Status } from "./types.js";

export interface ClientOptions {
  /** Address of the WebSocket. Default: `ws` beside the page. */
  url?: string;
  /** Default: the server's. */
  room?: string;
  name?: string;
  /** Where the server demands one. */
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

let core: Promise<InitOutput> | undefined;

/** Loads the wasm core; once, however often it is asked for. */
export function loadCore(): Promise<InitOutput> {
  core ??= init();
  return core;
}

export class TickwireClient extends Emitter<ClientEvents> {
  readonly #core: WasmClient;
  readonly #memory: WebAssembly.Memory;
  readonly #sockets: Sockets;
  readonly #clock = new SessionClock();
  readonly #names = new Map<number, { generation: number; name: string }>();
  readonly #ends = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #phase: Phase = "connecting";

  /** Starts a session. Listen to `phase` and `joined`. */
  static async connect(options: ClientOptions = {}): Promise<TickwireClient> {
    return new TickwireClient(options, (await loadCore()).memory);
  }

  private constructor(options: ClientOptions, memory: WebAssembly.Memory) {
    super();
    this.#memory = memory;
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    const { room = "", name = "", ticket = "", spectate = false } = options;
    this.#core = new WasmClient(room, name, ticket, spectate, seed, this.#clock.now());
    this.#sockets = new Sockets(options.url ?? addressBesidePage(room), {
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
    for (;;) {
      const kind = this.#core.next_news();
      if (kind === NewsKind.None) return;
      const { news_name: name, news_text: text, news_number: number, news_other: other } = this.#core;
      switch (kind) {
        case NewsKind.Joined:
          this.#names.clear();
          this.emit("joined", { resumed: number === 1 });
          break;
        case NewsKind.Chat:
          this.emit("chat", { session: number, name, text });
          break;
        case NewsKind.Notice:
          this.emit("notice", { text });
          break;
        case NewsKind.Kill:
          this.emit("kill", { killer: name, victim: text, killerSlot: number, victimSlot: other });
          break;
      }
    }
  }

  /** The world as it is to be drawn now. Good until the next call of this client. */
  look(): Frame {
    this.#core.look(this.#clock.now());
    return new Frame(this.#core, this.#memory);
  }

  /** The buttons that are down (`Button`), and what is pointed at, from the own ship in units (or only its direction); undefined: nothing yet. */
  control(buttons: number, aim: { x: number; y: number } | undefined): void {
    this.#core.buttons(buttons);
    if (aim) this.#core.aim(aim.x, aim.y);
  }

  chat(text: string): void {
    this.#did(() => this.#core.chat(text));
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

  /** The player's entity as one number; 0: none. */
  get playerId(): number {
    return this.#core.player_id;
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

  /** Whether the core has the server's rules. If not, the page is older than the server. */
  get isPredicting(): boolean {
    return this.#core.is_predicting;
  }

  /** x, y and radius of each rock, in units. */
  rocks(): Float32Array {
    return this.#core.rocks();
  }

  /** All players, the best first. */
  players(): PlayerRow[] {
    const numbers = this.#core.players();
    const rows: PlayerRow[] = [];
    for (let at = 0; at + 6 <= numbers.length; at += 6) {
      const [slot = 0, generation = 0, score = 0, kills = 0, deaths = 0, session = 0] = numbers.subarray(at, at + 6);
      rows.push({ slot, name: this.#nameOf(slot, generation), score, kills, deaths, session });
    }
    return rows;
  }

  /** A name is asked for once: strings are the only costly thing to fetch from the core. */
  #nameOf(slot: number, generation: number): string {
    const known = this.#names.get(slot);
    if (known?.generation === generation) return known.name;
    const name = this.#core.player_name(slot) ?? "";
    this.#names.set(slot, { generation, name });
    return name;
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

/** `ws` beside the page, over TLS if the page came so. */
function addressBesidePage(room: string): string {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = room ? `?room=${encodeURIComponent(room)}` : "";
  url.hash = "";
  return url.href;
}
