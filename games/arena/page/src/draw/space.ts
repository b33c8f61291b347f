// The background: stars at three depths, mist, a faint grid, the edge of the world.

import type { Camera } from "../camera.js";
import { seededRandom, sprite } from "./palette.js";

const WORLD = 4096;
const TILE = 512;
const GRID = 128;

interface Layer {
  /** Parallax: the fraction of the camera's movement that this layer follows. */
  depth: number;
  tile: HTMLCanvasElement;
}

export class Space {
  readonly #layers: Layer[] = [
    { depth: 0.08, tile: mist(1) },
    { depth: 0.15, tile: stars(2, 90, 0.9, 0.45) },
    { depth: 0.3, tile: stars(3, 46, 1.2, 0.65) },
    { depth: 0.5, tile: stars(4, 16, 1.7, 0.9) },
  ];

  draw(context: CanvasRenderingContext2D, camera: Camera): void {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#05070f";
    context.fillRect(0, 0, camera.width, camera.height);
    for (const { depth, tile } of this.#layers) {
      const size = tile.width * camera.pixelRatio;
      const startX = -mod(camera.x * camera.scale * depth, size);
      const startY = -mod(camera.y * camera.scale * depth, size);
      for (let y = startY; y < camera.height; y += size) {
        for (let x = startX; x < camera.width; x += size) context.drawImage(tile, x, y, size, size);
      }
    }
    camera.apply(context);
    this.#grid(context, camera);
    this.#edge(context);
  }

  #grid(context: CanvasRenderingContext2D, camera: Camera): void {
    const halfWidth = camera.width / 2 / camera.scale + 20;
    const halfHeight = camera.height / 2 / camera.scale + 20;
    const [left, right] = [Math.max(0, camera.x - halfWidth), Math.min(WORLD, camera.x + halfWidth)];
    const [top, bottom] = [Math.max(0, camera.y - halfHeight), Math.min(WORLD, camera.y + halfHeight)];
    context.lineWidth = 1 / camera.scale;
    for (const [step, style] of [
      [GRID, "rgb(110 150 220 / 0.055)"],
      [GRID * 4, "rgb(110 150 220 / 0.1)"],
    ] as const) {
      context.strokeStyle = style;
      context.beginPath();
      for (let x = Math.ceil(left / step) * step; x <= right; x += step) {
        context.moveTo(x, top);
        context.lineTo(x, bottom);
      }
      for (let y = Math.ceil(top / step) * step; y <= bottom; y += step) {
        context.moveTo(left, y);
        context.lineTo(right, y);
      }
      context.stroke();
    }
  }

  #edge(context: CanvasRenderingContext2D): void {
    context.fillStyle = "rgb(2 3 8 / 0.72)";
    context.fillRect(-2000, -2000, WORLD + 4000, 2000);
    context.fillRect(-2000, WORLD, WORLD + 4000, 2000);
    context.fillRect(-2000, 0, 2000, WORLD);
    context.fillRect(WORLD, 0, 2000, WORLD);
    for (const [width, alpha] of [
      [14, 0.08],
      [6, 0.18],
      [2, 0.8],
    ] as const) {
      context.lineWidth = width;
      context.strokeStyle = `rgb(90 170 255 / ${alpha})`;
      context.strokeRect(0, 0, WORLD, WORLD);
    }
  }
}

function stars(seed: number, count: number, size: number, alpha: number): HTMLCanvasElement {
  const random = seededRandom(seed);
  return sprite(TILE, TILE, (context) => {
    for (let star = 0; star < count; star++) {
      const [x, y] = [4 + random() * (TILE - 8), 4 + random() * (TILE - 8)];
      const radius = size * (0.4 + random() * 0.6);
      const hue = random() < 0.3 ? 30 : 215;
      context.fillStyle = `hsl(${hue} 80% 85% / ${alpha * (0.3 + random() * 0.7)})`;
      context.beginPath();
      context.arc(x, y, radius, 0, Math.PI * 2);
      context.fill();
    }
  });
}

/** Draws clouds that wrap around the tile, so that tiles join without a seam. */
function mist(seed: number): HTMLCanvasElement {
  const size = TILE * 2;
  const random = seededRandom(seed);
  return sprite(size, size, (context) => {
    for (let cloud = 0; cloud < 9; cloud++) {
      const [x, y, radius] = [random() * size, random() * size, 160 + random() * 240];
      const hue = [225, 265, 195, 320][cloud % 4] ?? 225;
      for (const dx of [-size, 0, size]) {
        for (const dy of [-size, 0, size]) {
          const light = context.createRadialGradient(x + dx, y + dy, 0, x + dx, y + dy, radius);
          light.addColorStop(0, `hsl(${hue} 70% 45% / 0.14)`);
          light.addColorStop(1, `hsl(${hue} 70% 45% / 0)`);
          context.fillStyle = light;
          context.fillRect(x + dx - radius, y + dy - radius, radius * 2, radius * 2);
        }
      }
    }
  });
}

const mod = (value: number, by: number) => ((value % by) + by) % by;
