// The clock of a session: milliseconds that include the time for which the device slept.
//
// `performance.now()` may stand still during sleep (it does on Linux and macOS, not on Windows). A connection that ended long ago
// would then seem alive. The wall clock goes on, so whatever it gains at once was sleep. Setting the wall clock ahead looks like
// sleep too, which costs one needless check of the connection.

/** Shorter differences are drift and corrections of the clocks, not sleep. */
const MIN_SLEEP_MS = 1_000;
/** How often the wall clock is read: each look leaves an object behind. */
const WALL_INTERVAL_MS = 100;

export class SessionClock {
  #sleptMs = 0;
  #lastMonotonic = performance.now();
  #lastWall = Date.now();

  now(): number {
    const monotonic = performance.now();
    const elapsed = monotonic - this.#lastMonotonic;
    if (elapsed > WALL_INTERVAL_MS) {
      const wall = Date.now();
      const gained = wall - this.#lastWall - elapsed;
      if (gained > MIN_SLEEP_MS) this.#sleptMs += gained;
      this.#lastMonotonic = monotonic;
      this.#lastWall = wall;
    }
    return this.#sleptMs === 0 ? monotonic : monotonic + this.#sleptMs;
  }
}
