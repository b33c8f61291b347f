// Colours: one hue a player, far from its neighbours'. Names and shapes say the same, for who cannot tell hues apart.

const GOLDEN_ANGLE = 137.508;
const HUES = 36;

/** A player's hue in degrees; players nobody knows are grey-blue. */
export function hueOf(player: number): number {
  if (player < 0) return 210;
  const hue = (player * GOLDEN_ANGLE + 60) % 360;
  return Math.round((hue * HUES) / 360) * (360 / HUES);
}

export const colour = (hue: number, alpha = 1, lightness = 62) => `hsl(${hue} 90% ${lightness}% / ${alpha})`;

export const OWN_COLOUR = "#eafcff";

/** A canvas to draw on once and to show often. */
export function sprite(width: number, height: number, draw: (context: CanvasRenderingContext2D) => void): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width);
  canvas.height = Math.ceil(height);
  const context = canvas.getContext("2d");
  if (context) draw(context);
  return canvas;
}

/** Numbers from 0 to 1 that look random and are the same for the same seed. */
export function dice(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 4294967296;
  };
}
