// Whether things may shake and flash.

/** Asked each time: it can be changed while one plays. */
export function isMotionReduced(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
