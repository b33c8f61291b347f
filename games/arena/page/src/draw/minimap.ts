// The minimap in the corner: all rocks, the visible part of the world, and the ships in it.

import type { Camera } from "../camera.js";
import type { World } from "../world.js";
import { OWN_COLOUR, colour, hueOf, sprite } from "./palette.js";
import type { Rocks } from "./rocks.js";

/** Side of the world, in units. */
const WORLD = 4096;
/** Side length and distance from the corner, in CSS pixels. */
const SIDE = 148;
const MARGIN = 16;

export class Minimap {
  #background: HTMLCanvasElement | undefined;
  #ratio = 0;

  /** Redraws the rocks with the next frame: the map has changed. */
  reset(): void {
    this.#background = undefined;
  }

  draw(context: CanvasRenderingContext2D, camera: Camera, world: World, rocks: Rocks): void {
    const side = SIDE * camera.pixelRatio;
    if (!this.#background || this.#ratio !== camera.pixelRatio) {
      this.#ratio = camera.pixelRatio;
      this.#background = background(side, rocks);
    }
    const margin = MARGIN * camera.pixelRatio;
    context.setTransform(1, 0, 0, 1, camera.width - side - margin, camera.height - side - margin);
    context.drawImage(this.#background, 0, 0);
    const part = side / WORLD;
    const [width, height] = [(camera.width / camera.scale) * part, (camera.height / camera.scale) * part];
    context.strokeStyle = "rgb(200 225 255 / 0.4)";
    context.lineWidth = camera.pixelRatio;
    context.save();
    context.beginPath();
    context.rect(0, 0, side, side);
    context.clip();
    context.strokeRect(camera.x * part - width / 2, camera.y * part - height / 2, width, height);
    for (const ship of world.ships) {
      const isOwn = ship === world.own?.ship;
      context.fillStyle = isOwn ? OWN_COLOUR : colour(hueOf(ship.player));
      context.beginPath();
      context.arc(ship.x * part, ship.y * part, (isOwn ? 3 : 2.2) * camera.pixelRatio, 0, Math.PI * 2);
      context.fill();
    }
    context.restore();
  }
}

function background(side: number, rocks: Rocks): HTMLCanvasElement {
  return sprite(side, side, (context) => {
    context.fillStyle = "rgb(8 13 26 / 0.72)";
    context.fillRect(0, 0, side, side);
    context.fillStyle = "rgb(140 160 205 / 0.45)";
    const part = side / WORLD;
    rocks.rocks.forEach(({ x, y, radius }) => {
      context.beginPath();
      context.arc(x * part, y * part, radius * part, 0, Math.PI * 2);
      context.fill();
    });
    context.strokeStyle = "rgb(120 165 235 / 0.45)";
    context.lineWidth = 2;
    context.strokeRect(0, 0, side, side);
  });
}
