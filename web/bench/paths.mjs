// Where each entity is at each tick, in units, and where it looks: a small circle on a large one.
//
// The Colyseus server moves its entities by this, and run.mjs checks by it that both pages show the same. The Tickwire server has the
// same formula in benches/src/bin/crowd.rs.

export const ENTITIES = 200;
export const TICK_RATE = 60;
/** Steps of a position in a unit, and of a heading in a turn. */
export const STEPS = 16;
export const HEADINGS = 256;

const TURN = 2 * Math.PI;

/** Writes `x`, `y` and `heading` (radians) of entity `n` at `tick` to `target`. */
export function move(target, n, tick) {
  const seconds = tick / TICK_RATE;
  const start = n * 0.618;
  const direction = n % 2 === 0 ? 1 : -1;
  const [large, small] = [120 + (n % 5) * 15, 20 + (n % 4) * 10];
  const [slow, quick] = [(direction * TURN) / (8 + (n % 7)), (-direction * TURN) / (2 + (n % 3))];
  const [a, b] = [start + slow * seconds, start + quick * seconds];
  target.x = rounded(300 + ((n * 613) % 1000) + large * Math.cos(a) + small * Math.cos(b));
  target.y = rounded(250 + ((n * 379) % 400) + large * Math.sin(a) + small * Math.sin(b));
  const vx = -large * slow * Math.sin(a) - small * quick * Math.sin(b);
  const vy = large * slow * Math.cos(a) + small * quick * Math.cos(b);
  target.heading = (Math.round((Math.atan2(vy, vx) / TURN) * HEADINGS) * TURN) / HEADINGS;
}

const rounded = (units) => Math.round(units * STEPS) / STEPS;
