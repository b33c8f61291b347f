// A room as a page sees it: what it wants, what is there, what happens.
//
// In: values of JavaScript, checked at once. Out: rows, events and messages with the types of the game. All of them are read and written
// by the schema of the room.

import { CoreBytes, CoreNumber, CoreString, TakenBytes, TakenText } from "./core-client.js";
import { InputCodec } from "./inputs.js";
import { Listeners, type Remove } from "./listeners.js";
import { PayloadCodecs } from "./payloads.js";
import { differenceOf, type AnyGame, type GameTypes, type Protocol } from "./protocol.js";
import { Rows, type RowBase, type RowSource } from "./rows.js";
import type { Schema } from "./schema.js";
import { Session, type SessionSettings } from "./session.js";
import type { Errors, Phase, Stats } from "./types.js";
import { entityId, wrongType } from "./values.js";

/** A row of a kind of entity. The same entity has the same object as long as it is in view; each frame moves it on. */
export type Row<G extends GameTypes = AnyGame, K extends keyof G["kinds"] = keyof G["kinds"]> = G["kinds"][K] & RowBase;

/** The world on the screen: an array of rows for each kind of entity, by its name. Always the same object. */
export type Frame<G extends GameTypes> = string extends keyof G["kinds"]
  ? // biome-ignore lint: an untyped game has any kinds
    { readonly tick: number; readonly [kind: string]: any }
  : { readonly tick: number } & { readonly [K in keyof G["kinds"]]: readonly Row<G, K>[] };

/** When an event's listener is called: as the screen shows its tick (a little later than it is known, as for everything of others), or at once. */
export interface When {
  when?: "screen" | "known";
}

/** What the core says of `Welcome`. */
interface Welcome {
  room: string;
  game: string;
  name: string;
  session: number;
  spectator: number;
  /** The player's own entity. */
  entity?: { kind: number; slot: number; generation: number };
  schema: Schema;
}

/** An event waiting for the screen. */
interface PendingEvent {
  kind: number;
  tick: number;
  payload: Uint8Array;
}

/** Events that wait while no frame is shown, as in a hidden tab; beyond that the oldest are dropped. */
const MAX_PENDING_EVENTS = 1_024;

/** The argument of a command: optional if the command has no fields, or if nobody knows them. */
// biome-ignore lint: an untyped game has any fields
type Fields<T> = 0 extends 1 & T ? [fields?: any] : Record<string, never> extends T ? [fields?: T] : [fields: T];

/** A player's place in a room. {@link join} gives one. */
export class Room<G extends GameTypes = AnyGame> {
  readonly #session: Session;
  readonly #protocol: Protocol<G> | undefined;
  readonly #texts = new Map<number, string>();
  #firstText = 0;
  #schemaJson = "";
  #welcome: Welcome = { room: "", game: "", name: "", session: 0, spectator: 1, schema: { kinds: [], events: [], input: [], commands: [], messages: [] } };
  #rows = new Rows(this.schema);
  #frame = { tick: 0 } as { tick: number } & Record<string, unknown>;
  #source: { -readonly [K in keyof RowSource]: RowSource[K] };
  #inputs = new InputCodec(this.schema);
  #events = new PayloadCodecs([], [], "event");
  #commands = new PayloadCodecs([], [], "command");
  #messages = new PayloadCodecs([], [], "message");
  #input: Partial<G["input"]> = {};
  /** The integers of the held input, and of the one that is pressed over it. */
  #held: readonly number[] = [];
  #pressed: Partial<G["input"]> = {};
  #ownId: number | undefined;
  #isResumed = false;
  #reason = "";
  #pending: PendingEvent[] = [];
  // biome-ignore lint: fields of any game
  readonly #onScreen = new Listeners<string, any, { tick: number }>();
  // biome-ignore lint: fields of any game
  readonly #onKnown = new Listeners<string, any, { tick: number }>();
  // biome-ignore lint: fields of any game
  readonly #onMessage = new Listeners<string, any>();
  // biome-ignore lint: each name has its own type
  readonly #onOwn = new Listeners<"chat" | "notice" | "phase" | "joined" | "prediction" | "left" | "bytes", any>();
  /** Called after every change, until the room is joined. */
  #onUpdate: (() => void) | undefined;

  /** @internal Use `join`. */
  constructor(memory: WebAssembly.Memory, protocol: Protocol<G> | undefined, settings: SessionSettings) {
    this.#protocol = protocol;
    this.#session = new Session(
      memory,
      settings,
      {
        joined: (resumed) => this.#joined(resumed),
        phase: (phase) => this.#changed(phase),
        chat: (chat) => this.#onOwn.call("chat", chat),
        notice: (notice) => this.#onOwn.call("notice", notice),
        prediction: (prediction) => this.#onOwn.call("prediction", prediction),
        event: (kind, tick, payload) => this.#event({ kind, tick, payload }),
        message: (payload) => this.#message(payload),
        updated: () => {
          this.#showEvents();
          this.#onUpdate?.();
        },
      },
      () => this.schema.kinds.map(({ name }) => name),
    );
    this.#source = { words: this.#session.memory.words, first: 0, textOf: (number) => this.#textOf(number), areTextsVoid: false };
  }

  #joined(resumed: boolean): void {
    const welcome = JSON.parse(this.#session.core.string(CoreString.Welcome)) as Welcome;
    this.#welcome = welcome;
    const { schema, game, entity } = welcome;
    const json = JSON.stringify(schema);
    if (json !== this.#schemaJson) {
      this.#schemaJson = json;
      const difference = this.#protocol && differenceOf(this.#protocol, game, schema);
      if (difference) {
        this.#reason = difference;
        this.#session.leave();
        return;
      }
      this.#take(schema);
    } else if (!resumed) this.#rows.clear();
    this.#ownId = entity && entityId(entity.kind, entity.slot, entity.generation);
    this.#isResumed = resumed;
    this.#onOwn.call("joined", { resumed });
  }

  #take(schema: Schema): void {
    this.#inputs = new InputCodec(schema);
    this.#held = schema.input.map(() => 0);
    this.#input = {};
    this.#session.core.take_bytes(TakenBytes.Input, new Uint8Array());
    const { kinds } = schema;
    this.#events = new PayloadCodecs(schema.events, kinds, "event");
    this.#commands = new PayloadCodecs(schema.commands, kinds, "command");
    this.#messages = new PayloadCodecs(schema.messages, kinds, "message");
    this.#rows = new Rows(schema);
    this.#frame = { ...Object.fromEntries(this.#rows.arrays), tick: 0 };
  }

  #number(which: CoreNumber): number {
    return this.#session.core.number(which);
  }

  #changed(phase: Phase): void {
    const reason = this.trouble;
    this.#onOwn.call("phase", { phase, reason });
    if (phase === "closed") this.#onOwn.call("left", { code: this.#number(CoreNumber.CloseCode), reason });
  }

  // What a player wants.

  /**
   * What the player wants from the next tick on. Fields that are left out are neutral. Throws a TypeError or a RangeError for a field that
   * the game's input does not have, and for a value that it cannot hold.
   */
  set input(input: Partial<G["input"]>) {
    this.#needDescribed();
    this.#held = this.#inputs.words(input);
    this.#input = input;
    this.#session.core.take_bytes(TakenBytes.Input, this.#inputs.payload(this.#held));
    if (this.#isPressWaiting()) this.#sendPress();
  }

  get input(): Partial<G["input"]> {
    return this.#input;
  }

  /**
   * What the player wants in exactly one tick, the next one, over {@link Room.input}: a jump, a shot. What is pressed before that tick
   * has come is pressed together. Throws like {@link Room.input}. What waits when the connection is lost is dropped.
   */
  press(input: Partial<G["input"]>): void {
    this.#needDescribed();
    this.#inputs.words(input, this.#held);
    this.#pressed = this.#isPressWaiting() ? { ...this.#pressed, ...input } : { ...input };
    this.#sendPress();
  }

  #isPressWaiting(): boolean {
    return this.#number(CoreNumber.IsPressWaiting) === 1;
  }

  #sendPress(): void {
    const words = this.#inputs.words(this.#pressed, this.#held);
    this.#session.core.press(this.#inputs.payload(words), true);
  }

  #needDescribed(): void {
    if (!this.#inputs.isDescribed) throw new TypeError("this game does not describe its input: use inputBytes and pressBytes");
  }

  /** {@link Room.input} of a game with an encoding of its own. */
  inputBytes(payload: Uint8Array): void {
    this.#session.core.take_bytes(TakenBytes.Input, checked("an input", payload, this.#number(CoreNumber.MaxInputBytes)));
  }

  /** {@link Room.press} of a game with an encoding of its own. Of several that wait, each gets a tick. Throws a RangeError if too many wait. */
  pressBytes(payload: Uint8Array): void {
    const isTaken = this.#session.core.press(checked("an input", payload, this.#number(CoreNumber.MaxInputBytes)), false);
    if (!isTaken) throw new RangeError("too many inputs are waiting");
  }

  /**
   * Asks the game for something that is no input of a tick, such as a purchase. Commands arrive once and in order, also over a new
   * connection. Throws a TypeError or a RangeError for a command, a field or a value that the game does not have.
   */
  command<N extends keyof G["commands"] & string>(name: N, ...[fields]: Fields<G["commands"][N]>): void {
    this.send(this.#commands.writePrefixed(name, fields));
  }

  /** A command as bytes: for games with an encoding of their own. */
  send(payload: Uint8Array): void {
    this.#session.core.take_bytes(TakenBytes.Command, checked("a command", payload, this.#number(CoreNumber.MaxCommandBytes)));
    this.#session.update();
  }

  /** Sends a line to the room's other players. */
  chat(line: string): void {
    this.#session.core.take_text(TakenText.Chat, String(line));
    this.#session.update();
  }

  /** Leaves for good. */
  leave(): void {
    this.#session.leave();
  }

  // What is there.

  /**
   * Moves the screen on to now, and returns what it shows: others a little in the past, the player's own entity as predicted. Call it
   * once for each frame that is drawn. It is always the same object with the same arrays.
   */
  frame(): Frame<G> {
    const session = this.#session;
    const now = session.now();
    session.poll(now);
    const { core, memory } = session;
    const at = core.show_frame(now) as unknown as number;
    this.#frame.tick = core.shown_tick;
    if (at !== 0 && this.#schemaJson !== "") {
      memory.renew();
      const source = this.#source;
      source.words = memory.words;
      source.first = at >>> 2;
      const firstText = core.number(CoreNumber.FirstText);
      source.areTextsVoid = firstText !== this.#firstText;
      if (source.areTextsVoid) {
        this.#firstText = firstText;
        this.#texts.clear();
      }
      this.#rows.update(source);
    }
    this.#showEvents();
    return this.#frame as unknown as Frame<G>;
  }

  #textOf(number: number): string {
    let text = this.#texts.get(number);
    if (text === undefined) this.#texts.set(number, (text = this.#session.core.text(number)));
    return text;
  }

  /** The id of the player's own entity; undefined for spectators. */
  get ownId(): number | undefined {
    return this.#ownId;
  }

  /** The row of the player's own entity in the latest frame; undefined for spectators, and while it is not there. */
  get me(): Row<G> | undefined {
    return this.find(this.#ownId);
  }

  /** The row of an entity in the latest frame, by the `id` of a row or a reference to it. */
  find(id: number | undefined): Row<G> | undefined {
    return this.#rows.find(id) as Row<G> | undefined;
  }

  // What happens.

  /** Calls `listener` with each event of the game of this name. Returns a function that removes it. */
  on<N extends keyof G["events"] & string>(name: N, listener: (fields: G["events"][N], at: { tick: number }) => void, { when = "screen" }: When = {}): Remove {
    this.#events.named(name);
    return (when === "known" ? this.#onKnown : this.#onScreen).add(name, listener);
  }

  /** Calls `listener` with each message of the game to this player of this name. Messages arrive once and in order. */
  onMessage<N extends keyof G["messages"] & string>(name: N, listener: (fields: G["messages"][N]) => void): Remove {
    this.#messages.named(name);
    return this.#onMessage.add(name, listener);
  }

  /** Calls `listener` with each message of a game that has an encoding of its own. */
  onMessageBytes(listener: (payload: Uint8Array) => void): Remove {
    return this.#onOwn.add("bytes", listener);
  }

  /** Lines of chat. `session`: the sender's number in the room; 0: the server. */
  onChat(listener: (chat: { session: number; name: string; text: string }) => void): Remove {
    return this.#onOwn.add("chat", listener);
  }

  /** Announcements of the server's operator. */
  onNotice(listener: (notice: { text: string }) => void): Remove {
    return this.#onOwn.add("notice", listener);
  }

  /** Changes of {@link Room.phase}; `reason` is a sentence, or empty. */
  onPhase(listener: (change: { phase: Phase; reason: string }) => void): Remove {
    return this.#onOwn.add("phase", listener);
  }

  /** The session is in the room again. `resumed`: as the same player; else everything of the player began anew. */
  onJoined(listener: (joined: { resumed: boolean }) => void): Remove {
    return this.#onOwn.add("joined", listener);
  }

  /** The session is over: it left, or the server ended it. */
  onLeft(listener: (left: { code: number; reason: string }) => void): Remove {
    return this.#onOwn.add("left", listener);
  }

  /** Prediction has begun, has ended, or cannot begin; `note` says why. */
  onPrediction(listener: (prediction: { isPredicting: boolean; note: string }) => void): Remove {
    return this.#onOwn.add("prediction", listener);
  }

  /** @internal For `join`: whether a snapshot has come. */
  get hasWorld(): boolean {
    return this.#number(CoreNumber.Tick) > 0;
  }

  /** @internal For `join`: calls `listener` after every change, until it is removed. */
  onUpdate(listener: (() => void) | undefined): void {
    this.#onUpdate = listener;
  }

  /** @internal For the debug overlay: what is under the room, and the frame as it was shown last. */
  get inside(): { session: Session; shown: Record<string, unknown> } {
    return { session: this.#session, shown: this.#frame };
  }

  #event(event: PendingEvent): void {
    const name = this.#events.at(event.kind)?.name ?? "";
    if (this.#onKnown.has(name)) this.#call(this.#onKnown, event);
    if (!this.#onScreen.has(name)) return;
    if (this.#pending.length === MAX_PENDING_EVENTS) this.#pending.shift();
    this.#pending.push(event);
  }

  #call(listeners: Listeners<string, object, { tick: number }>, { kind, tick, payload }: PendingEvent): void {
    const codec = this.#events.at(kind);
    const fields = codec?.read(payload);
    if (codec && fields) listeners.call(codec.name, fields, { tick });
  }

  /** Tells of the events whose ticks the screen has reached. */
  #showEvents(): void {
    // In two functions: one with closures in it makes an object of its variables, even where it returns at once.
    if (this.#pending.length > 0) this.#showDueEvents(this.#session.core.shown_tick);
  }

  #showDueEvents(tick: number): void {
    const due = this.#pending.filter((event) => event.tick <= tick);
    if (due.length === 0) return;
    // Before the calls: a listener may draw a frame.
    this.#pending = this.#pending.filter((event) => event.tick > tick);
    due.sort((a, b) => a.tick - b.tick);
    for (const event of due) this.#call(this.#onScreen, event);
  }

  #message(payload: Uint8Array): void {
    this.#onOwn.call("bytes", payload);
    const message = this.schema.messages.length > 0 ? this.#messages.readPrefixed(payload) : undefined;
    if (message) this.#onMessage.call(message.name, message.value);
  }

  // What a page shows of the session.

  get phase(): Phase {
    return this.#session.phase;
  }

  /** Why there is no connection, or why the session is over, as a sentence; empty if all is well. */
  get trouble(): string {
    return this.#reason || this.#session.core.string(CoreString.Trouble);
  }

  /** The name of the room. */
  get name(): string {
    return this.#welcome.room;
  }

  /** The name of the game that the room plays. */
  get game(): string {
    return this.#welcome.game;
  }

  /** The game's map, in its own encoding. */
  get map(): Uint8Array {
    return this.#session.core.bytes(CoreBytes.Map);
  }

  /** The player: its number in the room, as `player` values have it, and its name as others see it. */
  get player(): { number: number; name: string; isSpectator: boolean } {
    const { session, name, spectator } = this.#welcome;
    return { number: session, name, isSpectator: spectator !== 0 };
  }

  /** Whether the player is the same as before the page was loaded, or as before the connection was lost. */
  get isResumed(): boolean {
    return this.#isResumed;
  }

  /** Whether the player's own movement is predicted: the room's rules are loaded. */
  get isPredicting(): boolean {
    return this.#number(CoreNumber.IsPredicting) === 1;
  }

  /** Why the player's own movement is not predicted; empty while it is, and where there is nothing to predict. */
  get predictionNote(): string {
    return this.#session.core.string(CoreString.PredictionNote);
  }

  /** Replaces the ticket for future connections: nobody can reconnect with an expired one. */
  set ticket(ticket: string) {
    this.#session.core.take_text(TakenText.Ticket, String(ticket));
  }

  /** The schema of the room's game: kinds, lanes, fields. */
  get schema(): Schema {
    return this.#welcome.schema;
  }

  /**
   * How many inputs' positions were confirmed, and how many of those had first been predicted more than `bound` away (in lane units);
   * the same for the steps that the newest position made as more was known of neighbours, which the screen smooths.
   */
  predictionErrors(bound: number): { inputs: Errors; replays: Errors } {
    const [count = 0, beyond = 0, replays = 0, replaysBeyond = 0] = new Float64Array(this.#session.core.prediction_errors(bound).buffer);
    return { inputs: { count, beyond }, replays: { count: replays, beyond: replaysBeyond } };
  }

  /** The number of the newest input: one more for each tick. */
  get inputNumber(): number {
    return this.#number(CoreNumber.InputNumber);
  }

  get stats(): Stats {
    const numbers = new Float64Array(this.#session.core.bytes(CoreBytes.Stats).buffer);
    const stats = Object.fromEntries(STATS.map((name, at) => [name, numbers[at]]));
    return { phase: this.phase, ...stats } as unknown as Stats;
  }
}

/** The numbers of {@link Stats}, in the core's order. */
const STATS: readonly (keyof Stats)[] = [
  "tick",
  "entities",
  "rttMs",
  "jitterMs",
  "inputMarginTicks",
  "interpolationDelayMs",
  "snapshotAgeMs",
  "snapshotGapMs",
  "predictedInputs",
  "comparedPredictions",
  "corrections",
  "viewMismatches",
  "protocolErrors",
  "bytesIn",
  "bytesOut",
];

function checked(what: string, payload: Uint8Array, most: number): Uint8Array {
  if (!(payload instanceof Uint8Array)) throw wrongType(what, payload, "a Uint8Array");
  if (payload.length > most) throw new RangeError(`${what} has at most ${most} bytes, not ${payload.length}`);
  return payload;
}
