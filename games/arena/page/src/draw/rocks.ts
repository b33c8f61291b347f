// Rocks: a few shapes, lit from the upper left, scaled to any size.

import type { Camera } from "../camera.js";
import type { Rock } from "../wire.js";
import { seededRandom, sprite } from "./palette.js";

const SHAPES = 10;
/** Radius of a shape in its sprite, in pixels, and the factor that leaves space for its glow. */
const RADIUS = 150;
const GLOW_FACTOR = 1.12;

export class Rocks {
  readonly #shapes = Array.from({ length: SHAPES }, (_, seed) => shape(seed + 1));
  rocks: Rock[] = [];

  draw(context: CanvasRenderingContext2D, camera: Camera): void {
    this.rocks.forEach(({ x, y, radius }, index) => {
      const image = this.#shapes[index % SHAPES];
      if (!image || !camera.sees(x, y, radius * GLOW_FACTOR)) return;
      const half = radius * GLOW_FACTOR;
      context.drawImage(image, x - half, y - half, half * 2, half * 2);
    });
  }
}

/** Draws a bumpy rock that stays close to the circle that ships and beams collide with. */
function shape(seed: number): HTMLCanvasElement {
  const random = seededRandom(seed * 977);
  const side = RADIUS * GLOW_FACTOR * 2;
  return sprite(side, side, (context) => {
    context.translate(side / 2, side / 2);
    const [phase, second, third] = [random() * 7, random() * 7, random() * 7];
    context.beginPath();
    for (let step = 0; step < 72; step++) {
      const angle = (step / 72) * Math.PI * 2;
      const bump = Math.sin(angle * 3 + phase) * 0.012 + Math.sin(angle * 7 + second) * 0.012 + Math.sin(angle * 13 + third) * 0.008;
      const radius = RADIUS * (0.985 + bump);
      context.lineTo(Math.cos(angle) * radius, Math.sin(angle) * radius);
    }
    context.closePath();
    const hue = 215 + random() * 30;
    const body = context.createRadialGradient(-RADIUS * 0.45, -RADIUS * 0.5, RADIUS * 0.1, 0, 0, RADIUS * 1.15);
    body.addColorStop(0, `hsl(${hue} 16% 46%)`);
    body.addColorStop(0.45, `hsl(${hue} 20% 27%)`);
    body.addColorStop(1, `hsl(${hue} 34% 8%)`);
    context.shadowColor = "rgb(120 160 255 / 0.35)";
    context.shadowBlur = 14;
    context.fillStyle = body;
    context.fill();
    context.shadowBlur = 0;
    context.save();
    context.clip();
    for (let crater = 0; crater < 14; crater++) {
      const [angle, distance] = [random() * Math.PI * 2, Math.sqrt(random()) * RADIUS * 0.9];
      const radius = RADIUS * (0.05 + random() * random() * 0.22);
      const [x, y] = [Math.cos(angle) * distance, Math.sin(angle) * distance];
      const hole = context.createRadialGradient(x + radius * 0.3, y + radius * 0.35, radius * 0.1, x, y, radius);
      hole.addColorStop(0, "rgb(0 0 0 / 0)");
      hole.addColorStop(0.75, "rgb(2 4 12 / 0.32)");
      hole.addColorStop(1, "rgb(2 4 12 / 0)");
      context.fillStyle = hole;
      context.fillRect(x - radius, y - radius, radius * 2, radius * 2);
    }
    context.restore();
    context.strokeStyle = "rgb(170 195 255 / 0.3)";
    context.lineWidth = 2.5;
    context.stroke();
  });
}
