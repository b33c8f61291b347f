// A worse line than there is, between the core and its sockets: below everything that a game's page sees.
//
// In: what the core wants opened, sent and closed, and what happens on the sockets. Out: the same in the same order, later. Drops nothing,
// as a WebSocket drops nothing. While nothing is emulated and nothing waits, the sockets are as they were.

import type { SocketListener, Sockets } from "../sockets.js";

interface Waiting {
  readonly dueMs: number;
  readonly pass: () => void;
}

/** Both directions of a session's line, for all of its sockets. */
export class EmulatedLine {
  readonly #sockets: Sockets;
  readonly #listener: SocketListener;
  readonly #out: Queue;
  readonly #in: Queue;
  #latencyMs = 0;
  #jitterMs = 0;
  #stalledUntilMs = 0;
  #isAttached = false;

  constructor(sockets: Sockets) {
    this.#sockets = sockets;
    this.#listener = sockets.listener;
    const passesAt = () => this.#stalledUntilMs;
    const settled = () => this.#detachIfIdle();
    this.#out = new Queue(passesAt, settled);
    this.#in = new Queue(passesAt, settled);
  }

  /** Added to each message in each direction. */
  set latencyMs(ms: number) {
    this.#latencyMs = ms;
    this.#changed();
  }

  get latencyMs(): number {
    return this.#latencyMs;
  }

  /** Each message takes up to this much longer, by chance. Those behind it wait for it. */
  set jitterMs(ms: number) {
    this.#jitterMs = ms;
    this.#changed();
  }

  get jitterMs(): number {
    return this.#jitterMs;
  }

  /** Nothing passes for so long; then everything that waits does at once. */
  stall(ms: number): void {
    this.#stalledUntilMs = performance.now() + ms;
    this.#changed();
    setTimeout(() => this.#detachIfIdle(), ms + 1);
  }

  /** For how much longer nothing passes. */
  get stalledMs(): number {
    return Math.max(0, this.#stalledUntilMs - performance.now());
  }

  /** Lets everything that waits pass at once, and gives the sockets back. */
  end(): void {
    this.#latencyMs = this.#jitterMs = this.#stalledUntilMs = 0;
    this.#out.passAll();
    this.#in.passAll();
    this.#detachIfIdle();
  }

  #changed(): void {
    if (this.#isIdle) this.#detachIfIdle();
    else if (!this.#isAttached) this.#attach();
  }

  get #isIdle(): boolean {
    return this.#latencyMs === 0 && this.#jitterMs === 0 && this.stalledMs === 0 && this.#out.isEmpty && this.#in.isEmpty;
  }

  #attach(): void {
    this.#isAttached = true;
    const sockets = this.#sockets;
    const listener = this.#listener;
    // What the instance has goes before what its class has.
    const { open, send, close } = Object.getPrototypeOf(sockets) as Sockets;
    const out = (pass: () => void) => this.#out.add(this.#dueMs(), pass);
    const inwards = (pass: () => void) => this.#in.add(this.#dueMs(), pass);
    sockets.open = (link) => out(() => open.call(sockets, link));
    sockets.send = (link, message) => {
      // The core's memory and the SDK's views are used again.
      const kept = message.slice();
      out(() => send.call(sockets, link, kept));
    };
    sockets.close = (link) => out(() => close.call(sockets, link));
    sockets.listener = {
      opened: (link) => inwards(() => listener.opened(link)),
      received: (link, message) => inwards(() => listener.received(link, message)),
      closed: (link, code, reason) => inwards(() => listener.closed(link, code, reason)),
    };
    // A page that goes away runs no timers: its last word would never leave.
    addEventListener("pagehide", this.#passOut);
  }

  readonly #passOut = () => this.#out.passAll();

  #dueMs(): number {
    return performance.now() + this.#latencyMs + Math.random() * this.#jitterMs;
  }

  #detachIfIdle(): void {
    if (!this.#isAttached || !this.#isIdle) return;
    this.#isAttached = false;
    const sockets = this.#sockets;
    for (const name of ["open", "send", "close"] as const) Reflect.deleteProperty(sockets, name);
    sockets.listener = this.#listener;
    removeEventListener("pagehide", this.#passOut);
  }
}

/** What waits in one direction, in order. */
class Queue {
  readonly #waiting: Waiting[] = [];
  readonly #passesAtMs: () => number;
  readonly #settled: () => void;
  #newestDueMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `passesAtMs`: before, nothing passes. `settled`: called when nothing waits any more. */
  constructor(passesAtMs: () => number, settled: () => void) {
    this.#passesAtMs = passesAtMs;
    this.#settled = settled;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(dueMs: number, pass: () => void): void {
    this.#newestDueMs = Math.max(this.#newestDueMs, dueMs);
    this.#waiting.push({ dueMs: this.#newestDueMs, pass });
    this.#timer ??= this.#wait();
  }

  passAll(): void {
    for (const { pass } of this.#waiting.splice(0)) pass();
    this.#newestDueMs = 0;
  }

  #wait(): ReturnType<typeof setTimeout> {
    const dueMs = Math.max(this.#waiting[0]?.dueMs ?? 0, this.#passesAtMs());
    return setTimeout(() => this.#passDue(), Math.max(0, dueMs - performance.now()));
  }

  #passDue(): void {
    this.#timer = undefined;
    while (this.#waiting.length > 0 && Math.max((this.#waiting[0] as Waiting).dueMs, this.#passesAtMs()) <= performance.now()) {
      // May add to this queue, or change the line.
      this.#waiting.shift()?.pass();
    }
    if (!this.isEmpty) this.#timer ??= this.#wait();
    else this.#settled();
  }
}
