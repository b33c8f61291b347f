// Colours: one hue per player, far from those of neighbouring slots. Nothing is shown by hue alone, for people who cannot tell hues apart.

const GOLDEN_ANGLE = 137.508;
const HUES = 36;

/** A player's hue in degrees; an unknown player is blue. */
export function hueOf(player: number): number {
  if (player < 0) return 210;
  const hue = (player * GOLDEN_ANGLE + 60) % 360;
  return Math.round((hue * HUES) / 360) * (360 / HUES);
}

export const colour = (hue: number, alpha = 1, lightness = 62) => `hsl(${hue} 90% ${lightness}% / ${alpha})`;

export const OWN_COLOUR = "#eafcff";

/** A canvas that is drawn once and shown often. */
export function sprite(width: number, height: number, draw: (context: CanvasRenderingContext2D) => void): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width);
  canvas.height = Math.ceil(height);
  const context = canvas.getContext("2d");
  if (context) draw(context);
  return canvas;
}

/** A seeded generator of pseudo-random numbers from 0 to 1. */
export function seededRandom(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 4294967296;
  };
}
