// The clock of a session: milliseconds that include the time for which the device slept, and that go on within the steps of a coarse clock.
//
// `performance.now()` may stand still during sleep (it does on Linux and macOS, not on Windows). A connection that ended long ago
// would then seem alive. The wall clock goes on, so whatever it gains at once was sleep, or somebody set it: the core asks the server.
// In a hardened Firefox the time comes in steps of up to 100 ms. Within a step the turns of the session's timer are counted: else the
// player's own entity would move ten times a second.

/** Shorter differences are drift and corrections of the clocks, not sleep. */
const MIN_SLEEP_MS = 1_000;
/** How often the wall clock is read: each look leaves an object behind. */
const WALL_INTERVAL_MS = 100;

export class SessionClock {
  #sleptMs = 0;
  #lastMonotonic = performance.now();
  #lastWall = Date.now();
  #read = 0;
  #newest = 0;
  /** Turns of the timer since the time read last changed. With a fine clock there are none. */
  #turns = 0;
  #turnMs = 0;
  /** The length of a coarse clock's steps. */
  #stepMs = Infinity;

  now(): number {
    const read = performance.now();
    const step = read - this.#read;
    if (step !== 0) {
      if (this.#turns > 0) {
        this.#stepMs = Math.min(this.#stepMs, step);
        // Not by a step that the clock took while the page was busy.
        if (step < 1.5 * this.#stepMs) this.#turnMs = step / (this.#turns + 1);
      }
      this.#turns = 0;
      this.#read = read;
    }
    const elapsed = read - this.#lastMonotonic;
    if (elapsed > WALL_INTERVAL_MS) {
      const wall = Date.now();
      const gained = wall - this.#lastWall - elapsed;
      if (gained > MIN_SLEEP_MS) this.#sleptMs += gained;
      this.#lastMonotonic = read;
      this.#lastWall = wall;
    }
    if (this.#turns === 0 && read > this.#newest) this.#newest = read;
    else if (this.#turns > 0) this.#newest = Math.max(this.#newest, read + Math.min(this.#turns * this.#turnMs, this.#stepMs));
    return this.#sleptMs === 0 ? this.#newest : this.#newest + this.#sleptMs;
  }

  /** The time, in a turn of the session's timer. */
  turn(): number {
    const before = this.#read;
    const now = this.now();
    if (this.#read !== before) return now;
    this.#turns++;
    return this.now();
  }
}
