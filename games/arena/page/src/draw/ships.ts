// Ships (hull, glow, flames, health and name) and pellets.
//
// Flames show thrust, which is not replicated: it is estimated from the movement of a ship on the screen.

import type { Camera } from "../camera.js";
import type { World } from "../world.js";
import { OWN_COLOUR, colour, hueOf, sprite } from "./palette.js";

const FULL_HEALTH = 100;
const TICK_MS = 1000 / 60;
/** Thrust, and the part of the speed lost in a tick, as in the arena's rules; only for flames. */
const THRUST = 0.28;
const DRAG = 0.04;
/** Side of a ship's sprite, in units. */
const SPRITE_UNITS = 96;

interface Motion {
  x: number;
  y: number;
  vx: number;
  vy: number;
  /** Estimated thrust, from 0 to 1. */
  power: number;
  /** Direction of the thrust, in radians. */
  angle: number;
  /** The latest frame that showed the ship. */
  lastSeen: number;
}

export class Ships {
  readonly #sprites = new Map<string, HTMLCanvasElement>();
  readonly #motions = new Map<number, Motion>();
  readonly #pellets = [pelletSprite(165, 5), pelletSprite(45, 9)];
  #frame = 0;
  #resolution = 0;

  draw(
    context: CanvasRenderingContext2D,
    camera: Camera,
    world: World,
    now: number,
    elapsedMs: number,
    flame: (x: number, y: number, vx: number, vy: number, hue: number) => void,
  ): void {
    this.#frame++;
    if (this.#resolution !== camera.scale) {
      this.#sprites.clear();
      this.#resolution = camera.scale;
    }
    context.globalCompositeOperation = "lighter";
    for (const pellet of world.pellets) {
      const isRich = pellet.worth > 1;
      const pulse = 1 + 0.14 * Math.sin(now / 260 + pellet.slot * 1.7);
      const half = (isRich ? 26 : 15) * pulse;
      const image = this.#pellets[isRich ? 1 : 0];
      if (image) context.drawImage(image, pellet.x - half, pellet.y - half, half * 2, half * 2);
    }
    for (const ship of world.ships) {
      const motion = this.#updateMotion(ship.slot * 4096 + ship.generation, ship.x, ship.y, elapsedMs);
      if (motion.power < 0.12) continue;
      const hue = hueOf(ship.player);
      this.#flame(context, ship.x, ship.y, motion, hue);
      if (Math.random() < motion.power * 0.55) {
        const back = motion.angle + Math.PI + (Math.random() - 0.5) * 0.6;
        const [dx, dy] = [Math.cos(back), Math.sin(back)];
        flame(ship.x + dx * 16, ship.y + dy * 16, motion.vx * 0.3 + dx * 2.2, motion.vy * 0.3 + dy * 2.2, hue);
      }
    }
    context.globalCompositeOperation = "source-over";
    for (const ship of world.ships) {
      const image = this.#sprite(hueOf(ship.player), ship === world.own?.ship);
      context.save();
      context.translate(ship.x, ship.y);
      context.rotate(ship.heading);
      context.drawImage(image, -SPRITE_UNITS / 2, -SPRITE_UNITS / 2, SPRITE_UNITS, SPRITE_UNITS);
      context.restore();
    }
    this.#labels(context, camera, world);
    for (const [key, motion] of this.#motions) if (motion.lastSeen < this.#frame - 30) this.#motions.delete(key);
  }

  #updateMotion(key: number, x: number, y: number, elapsedMs: number): Motion {
    const ticks = Math.max(0.1, elapsedMs / TICK_MS);
    const motion = this.#motions.get(key);
    if (!motion || Math.hypot(x - motion.x, y - motion.y) > 120) {
      const fresh: Motion = { x, y, vx: 0, vy: 0, power: 0, angle: 0, lastSeen: this.#frame };
      this.#motions.set(key, fresh);
      return fresh;
    }
    const blend = 1 - Math.exp(-elapsedMs / 60);
    const [oldX, oldY] = [motion.vx, motion.vy];
    motion.vx += ((x - motion.x) / ticks - motion.vx) * blend;
    motion.vy += ((y - motion.y) / ticks - motion.vy) * blend;
    const thrustX = (motion.vx - oldX) / ticks + motion.vx * DRAG;
    const thrustY = (motion.vy - oldY) / ticks + motion.vy * DRAG;
    const power = Math.min(1, Math.hypot(thrustX, thrustY) / THRUST);
    motion.power += ((power > 0.3 ? power : 0) - motion.power) * (1 - Math.exp(-elapsedMs / 70));
    if (power > 0.3) motion.angle = Math.atan2(thrustY, thrustX);
    [motion.x, motion.y, motion.lastSeen] = [x, y, this.#frame];
    return motion;
  }

  #flame(context: CanvasRenderingContext2D, x: number, y: number, motion: Motion, hue: number): void {
    const length = 34 * motion.power * (0.8 + Math.random() * 0.4);
    context.save();
    context.translate(x, y);
    context.rotate(motion.angle + Math.PI);
    for (const [width, reach, style] of [
      [8, 1, colour(hue, 0.35)],
      [5, 0.75, "rgb(255 190 110 / 0.55)"],
      [2.5, 0.5, "rgb(255 250 230 / 0.8)"],
    ] as const) {
      context.fillStyle = style;
      context.beginPath();
      context.moveTo(8, -width);
      context.quadraticCurveTo(12 + length * reach * 0.6, -width * 0.8, 12 + length * reach, 0);
      context.quadraticCurveTo(12 + length * reach * 0.6, width * 0.8, 8, width);
      context.fill();
    }
    context.restore();
  }

  #labels(context: CanvasRenderingContext2D, camera: Camera, world: World): void {
    const pixel = camera.pixelRatio / camera.scale;
    context.font = `600 ${12 * pixel}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.lineJoin = "round";
    for (const ship of world.ships) {
      const part = Math.max(0, Math.min(1, ship.health / FULL_HEALTH));
      const [left, top] = [ship.x - 19, ship.y + 27];
      context.fillStyle = "rgb(3 6 14 / 0.75)";
      context.fillRect(left - 1, top - 1, 40, 6);
      context.fillStyle = part > 0.5 ? "#5ee6a8" : part > 0.25 ? "#ffd25e" : "#ff6d6d";
      context.fillRect(left, top, 38 * part, 4);
      const name = world.nameOf(ship.player);
      if (!name) continue;
      context.strokeStyle = "rgb(3 6 14 / 0.8)";
      context.lineWidth = 3 * pixel;
      context.strokeText(name, ship.x, ship.y - 28);
      context.fillStyle = ship === world.own?.ship ? OWN_COLOUR : colour(hueOf(ship.player), 1, 78);
      context.fillText(name, ship.x, ship.y - 28);
    }
  }

  #sprite(hue: number, isOwn: boolean): HTMLCanvasElement {
    const key = `${hue}${isOwn}`;
    let image = this.#sprites.get(key);
    if (!image) this.#sprites.set(key, (image = shipSprite(hue, isOwn, this.#resolution)));
    return image;
  }
}

function shipSprite(hue: number, isOwn: boolean, resolution: number): HTMLCanvasElement {
  const side = SPRITE_UNITS * resolution;
  return sprite(side, side, (context) => {
    context.setTransform(resolution, 0, 0, resolution, side / 2, side / 2);
    const glow = context.createRadialGradient(0, 0, 4, 0, 0, 44);
    glow.addColorStop(0, colour(hue, 0.5));
    glow.addColorStop(0.4, colour(hue, 0.16));
    glow.addColorStop(1, colour(hue, 0));
    context.fillStyle = glow;
    context.fillRect(-48, -48, 96, 96);
    context.lineJoin = "round";
    hull(context);
    const body = context.createLinearGradient(-14, 0, 18, 0);
    body.addColorStop(0, colour(hue, 1, 22));
    body.addColorStop(0.6, colour(hue, 1, 44));
    body.addColorStop(1, colour(hue, 1, 72));
    context.fillStyle = body;
    context.shadowColor = colour(hue, 1, 60);
    context.shadowBlur = 10 * resolution;
    context.fill();
    context.shadowBlur = 0;
    context.strokeStyle = isOwn ? OWN_COLOUR : colour(hue, 1, 82);
    context.lineWidth = isOwn ? 2.2 : 1.6;
    context.stroke();
    // Cockpit and spine.
    context.fillStyle = "rgb(240 252 255 / 0.9)";
    context.beginPath();
    context.ellipse(5, 0, 4.6, 2.3, 0, 0, Math.PI * 2);
    context.fill();
    context.strokeStyle = "rgb(255 255 255 / 0.28)";
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(-1, 0);
    context.lineTo(-8, 0);
    context.stroke();
    if (isOwn) {
      context.strokeStyle = "rgb(234 252 255 / 0.35)";
      context.lineWidth = 1;
      context.setLineDash([5, 7]);
      context.beginPath();
      context.arc(0, 0, 24, 0, Math.PI * 2);
      context.stroke();
    }
  });
}

function hull(context: CanvasRenderingContext2D): void {
  context.beginPath();
  context.moveTo(18, 0);
  context.quadraticCurveTo(6, -5, 0, -7);
  context.lineTo(-12, -15);
  context.lineTo(-10, -5);
  context.lineTo(-14, -3);
  context.lineTo(-14, 3);
  context.lineTo(-10, 5);
  context.lineTo(-12, 15);
  context.lineTo(0, 7);
  context.quadraticCurveTo(6, 5, 18, 0);
  context.closePath();
}

function pelletSprite(hue: number, radius: number): HTMLCanvasElement {
  return sprite(64, 64, (context) => {
    context.translate(32, 32);
    const glow = context.createRadialGradient(0, 0, 1, 0, 0, 31);
    glow.addColorStop(0, colour(hue, 0.9, 70));
    glow.addColorStop(0.25, colour(hue, 0.4));
    glow.addColorStop(1, colour(hue, 0));
    context.fillStyle = glow;
    context.fillRect(-32, -32, 64, 64);
    context.rotate(Math.PI / 4);
    context.fillStyle = colour(hue, 1, 80);
    context.fillRect(-radius * 0.9, -radius * 0.9, radius * 1.8, radius * 1.8);
  });
}
