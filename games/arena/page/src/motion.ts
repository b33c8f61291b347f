// The reader's preference for reduced motion: no shaking, no flashing.

/** Reads the preference each time, as it can change during the game. */
export function isMotionReduced(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
