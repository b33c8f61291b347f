// What all pages do in a frame: one input, another direction once a second, and one look at every entity.

export const params = new URLSearchParams(location.search);

/** Calls `read` in every frame. run.mjs asks `window.bench` how it went. */
export function everyFrame({ turn, read, send, count, places, errors }) {
  let frames = 0;
  let sum = 0;
  const draw = (now) => {
    if (frames % 60 === 0) turn(((frames / 60) % 3) - 1, (Math.floor(frames / 180) % 3) - 1);
    send?.();
    sum = read(now) | 0;
    frames++;
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
  window.bench = { now: () => ({ frames, sum, count: count(), errors: errors(), at: performance.now() }), places };
}
