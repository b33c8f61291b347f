// One session: the wasm core, its sockets, its clock and its rules module.
//
// In: what happens on sockets and to the page, and the time. Out: events of the session, one at a time. Decides nothing: it carries
// out the core's actions. room.ts gives it the shape that a page sees.

import { WasmClient } from "../wasm/tickwire.js";
import { SessionClock } from "./clock.js";
import { CoreMemory } from "./core.js";
import { ActionKind, CoreBytes, CoreNumber, CoreString, PageChange, TakenBytes, SessionEventKind, type CoreClient } from "./core-client.js";
import { listenToPage } from "./page.js";
import { RulesLoader } from "./rules-loader.js";
import type { SavedSession } from "./saved-session.js";
import { Sockets } from "./sockets.js";
import type { Phase } from "./types.js";

/** Interval of polling the core beside every frame: a 30 Hz display must not make 30 inputs a second. */
const POLL_INTERVAL_MS = 8;
/** For how long the server keeps the player of a page that went away: as long as a reload takes. */
const RELOAD_MS = 10_000;

/** By the core's `PhaseKind`. */
const PHASES: readonly Phase[] = ["connecting", "playing", "reconnecting", "closed"];

export interface SessionListener {
  joined(resumed: boolean): void;
  phase(phase: Phase): void;
  chat(chat: { session: number; name: string; text: string }): void;
  notice(notice: { text: string }): void;
  event(kind: number, tick: number, payload: Uint8Array): void;
  message(payload: Uint8Array): void;
  prediction(prediction: { isPredicting: boolean; note: string }): void;
  /** After every call of the core and its events. */
  updated(): void;
}

export interface SessionSettings {
  address: string;
  room: string;
  name: string;
  ticket: string;
  spectate: boolean;
  /** A reserved seat. */
  reservation: Uint8Array | undefined;
  WebSocket?: typeof WebSocket | undefined;
  saved?: SavedSession | undefined;
  resume?: { token: Uint8Array; message: number } | undefined;
}

export class Session {
  readonly core: CoreClient;
  readonly memory: CoreMemory;
  readonly sockets: Sockets;
  readonly #clock = new SessionClock();
  readonly #rules: RulesLoader;
  readonly #saved: SavedSession | undefined;
  readonly #closing = new AbortController();
  readonly #listener: SessionListener;
  readonly #timer: ReturnType<typeof setInterval>;
  phase: Phase = "connecting";

  constructor(memory: WebAssembly.Memory, settings: SessionSettings, listener: SessionListener, kinds: () => string[]) {
    const { address, room, name, ticket, spectate, reservation, resume } = settings;
    this.#listener = listener;
    this.#saved = settings.saved;
    this.memory = new CoreMemory(memory);
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    this.core = new WasmClient(room, name, ticket, spectate, seed, this.now()) as unknown as CoreClient;
    if (resume) this.core.resume_from(resume.token, resume.message);
    if (reservation) this.core.take_bytes(TakenBytes.Seat, reservation);
    this.#rules = new RulesLoader(
      this.core,
      address,
      this.#closing.signal,
      kinds,
      (call) => {
        if (this.isOver) return;
        call();
        this.update();
      },
      () => this.now(),
    );
    this.sockets = new Sockets(
      address,
      {
        opened: (link) => {
          if (this.isOver) return;
          this.core.opened(link, this.now());
          this.update();
        },
        received: (link, message) => {
          if (this.isOver) return;
          this.core.received(link, message, this.now());
          this.update();
        },
        closed: (link, code, reason) => {
          if (this.isOver) return;
          this.core.closed(link, code, reason, this.now());
          this.update();
        },
      },
      settings.WebSocket,
    );
    this.#timer = setInterval(() => this.poll(this.#clock.turn()), POLL_INTERVAL_MS);
    this.#listenToPage();
    // In a microtask, so that the caller can add listeners first.
    queueMicrotask(() => this.poll());
  }

  get isOver(): boolean {
    return this.#closing.signal.aborted;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Runs what is due now: connecting, and the inputs of the ticks that have come. */
  poll(now = this.now()): void {
    if (this.isOver) return;
    this.core.poll(now);
    this.update();
  }

  /** Carries out what the core wants done, and passes on its events. Call it after every call of the core. */
  update(): void {
    this.#performActions();
    this.#passOnEvents();
    this.#listener.updated();
  }

  #performActions(): void {
    const { core } = this;
    for (;;) {
      const action = core.next_action();
      if (action === ActionKind.None) return;
      const link = core.number(CoreNumber.ActionLink);
      switch (action) {
        case ActionKind.Open:
          this.sockets.open(link);
          break;
        case ActionKind.Send:
          this.memory.renew();
          this.sockets.sendFrom(link, this.memory.bytes, core.number(CoreNumber.MessageAt), core.number(CoreNumber.MessageLength));
          break;
        case ActionKind.Close:
          this.sockets.close(link);
          break;
      }
    }
  }

  #passOnEvents(): void {
    const { core } = this;
    const listener = this.#listener;
    const phase = PHASES[core.number(CoreNumber.Phase)] as Phase;
    if (phase !== this.phase) {
      this.phase = phase;
      if (phase === "closed") this.#end();
      listener.phase(phase);
    }
    for (;;) {
      switch (core.next_event()) {
        case SessionEventKind.None:
          return;
        case SessionEventKind.Joined:
          listener.joined(core.number(CoreNumber.EventNumber) === 1);
          if (this.isOver) return;
          this.#rules.check();
          this.#save();
          break;
        case SessionEventKind.Chat:
          listener.chat({ session: core.number(CoreNumber.EventNumber), name: core.string(CoreString.EventName), text: core.string(CoreString.EventText) });
          break;
        case SessionEventKind.Notice:
          listener.notice({ text: core.string(CoreString.EventText) });
          break;
        case SessionEventKind.GameEvent:
          listener.event(core.number(CoreNumber.EventNumber), core.number(CoreNumber.EventTick), core.bytes(CoreBytes.EventPayload));
          break;
        case SessionEventKind.Prediction:
          this.#tellPrediction();
          break;
        case SessionEventKind.GameMessage:
          listener.message(core.bytes(CoreBytes.EventPayload));
          break;
      }
    }
  }

  #tellPrediction(): void {
    const note = this.core.string(CoreString.EventText);
    this.#listener.prediction({ isPredicting: note === "", note });
  }

  #save(): void {
    this.#saved?.keep(this.core.bytes(CoreBytes.ResumeToken), this.core.number(CoreNumber.NewestMessage));
  }

  #listenToPage(): void {
    const { core } = this;
    const saved = this.#saved;
    const changed = (change: PageChange) => {
      core.page_changed(change, this.now());
      this.poll();
    };
    listenToPage(
      {
        hidden: () => changed(PageChange.Hidden),
        visible: () => changed(PageChange.Visible),
        online: () => changed(PageChange.Online),
        away: () => {
          if (saved && this.phase !== "connecting") {
            this.#save();
            saved.letGo();
            core.go_away(RELOAD_MS);
          } else core.go_away(0);
          this.update();
        },
        back: () => {
          saved?.holdAgain();
          changed(PageChange.Back);
        },
      },
      this.#closing.signal,
    );
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#closing.abort();
    this.#saved?.forget();
  }

  /** Leaves for good. */
  leave(): void {
    if (this.isOver) return;
    this.core.leave();
    this.update();
  }
}
