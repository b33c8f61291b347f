// The input clock of docs/PROTOCOL.md: for which tick an input is due.

export class InputClock {
  /** The position on the tick axis at the last `advance`. */
  ticks;
  #tickRate;
  #at;
  #rate = 1;
  /** How far other rates and jumps have moved the clock, and how far they had when the input for a tick was made. */
  #shift = 0;
  #shiftOf = new Array(256).fill(0);
  #margins = [];
  #jumps = 0;

  /** Times are in microseconds. `arrivalTicks`: the server's tick, with its fraction, when a message that is sent at `now` arrives. */
  constructor(tickRate, now, arrivalTicks) {
    [this.#tickRate, this.#at, this.ticks] = [tickRate, now, arrivalTicks + 1.5];
  }

  /** The newest tick that an input is due for at `now`. */
  advance(now) {
    const passed = ((now - this.#at) * this.#tickRate) / 1e6;
    this.ticks += passed * this.#rate;
    this.#shift += passed * (this.#rate - 1);
    this.#at = now;
    const due = Math.floor(Math.max(this.ticks, 0));
    this.#shiftOf[due % 256] = this.#shift;
    return due;
  }

  /** Takes the tick of a snapshot, and its `input_margin` in ticks. */
  report(tick, margin) {
    this.#margins.push(margin - this.#shiftOf[Math.floor(Math.max(tick + margin, 0)) % 256]);
    if (this.#margins.length > 240) this.#margins.shift();
    const sorted = [...this.#margins].sort((a, b) => a - b);
    const [low, middle] = [50, 2].map((parts) => sorted[Math.floor(sorted.length / parts)] + this.#shift);
    const error = Math.max(low - 0.35, middle - 4);
    this.#jumps = Math.abs(error) > 12 ? this.#jumps + 1 : 0;
    if (this.#jumps > 30) {
      this.ticks -= error;
      this.#shift -= error;
      [this.#jumps, this.#rate] = [0, 1];
    } else {
      this.#rate = 1 - Math.min(Math.max(error * 0.05, -0.05), 0.05);
    }
  }
}
