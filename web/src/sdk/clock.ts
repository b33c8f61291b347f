// The clock of a session: milliseconds that also count the time for which the device slept.
//
// `performance.now()` may stand still in a sleep (it does on Linux and macOS, not on Windows). Then a connection that ended
// long ago would look as if it had just been heard of. The wall clock goes on, so what it gained in one go was sleep.
// Somebody who sets the wall clock ahead is taken for one who slept, which costs one needless look at the connection.

/** What the two clocks drift apart and are corrected by without any sleep is less. */
const LEAST_SLEEP_MS = 1_000;

export class SessionClock {
  #slept = 0;
  #awake = performance.now();
  #wall = Date.now();

  now(): number {
    const [awake, wall] = [performance.now(), Date.now()];
    const gained = wall - this.#wall - (awake - this.#awake);
    if (gained > LEAST_SLEEP_MS) this.#slept += gained;
    [this.#awake, this.#wall] = [awake, wall];
    return awake + this.#slept;
  }
}
