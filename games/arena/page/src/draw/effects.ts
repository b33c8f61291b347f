// Short-lived effects: beams, sparks, bursting ships, hit markers.

import type { Camera } from "../camera.js";
import type { Effect } from "../effects.js";
import { colour, hueOf } from "./palette.js";

const BEAM_MS = 220;
const HIT_MS = 260;
const RING_MS = 620;
const MAX_PARTICLES = 700;
/** A beam is drawn from the ship's nose, not from its middle. */
const NOSE = 20;
const TICK_MS = 1000 / 60;
/** Shorter beams ended at an obstacle. */
const FULL_RANGE = 598;

interface Beam {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
  hue: number;
  age: number;
}

interface Flash {
  x: number;
  y: number;
  hue: number;
  age: number;
}

interface Particle {
  x: number;
  y: number;
  vx: number;
  vy: number;
  age: number;
  life: number;
  size: number;
  style: string;
}

/** Called for each new effect, for sounds and shaking. */
export interface EffectListener {
  beam(x: number, y: number, isOwn: boolean): void;
  hit(): void;
  burst(x: number, y: number, isOwn: boolean): void;
  wounded(): void;
}

export class Effects {
  #beams: Beam[] = [];
  #hits: Flash[] = [];
  #rings: Flash[] = [];
  #particles: Particle[] = [];

  /** Adds the effects of a frame. */
  add(effects: Effect[], listener: EffectListener): void {
    for (const effect of effects) {
      const hue = hueOf(effect.player);
      switch (effect.kind) {
        case "beam": {
          const { x: x0, y: y0 } = effect.from;
          const { x: x1, y: y1 } = effect.to;
          const length = Math.hypot(x1 - x0, y1 - y0) || 1;
          const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
          const nose = Math.min(NOSE, length);
          this.#beams.push({ x0: x0 + dx * nose, y0: y0 + dy * nose, x1, y1, hue, age: 0 });
          if (effect.endsAtShip || length < FULL_RANGE) this.#sparks(x1, y1, -dx, -dy, effect.endsAtShip ? 14 : 7, hue);
          listener.beam(x0, y0, effect.isOwn);
          if (effect.endsAtOwn) listener.wounded();
          break;
        }
        case "hit":
          this.#hits.push({ x: effect.at.x, y: effect.at.y, hue, age: 0 });
          listener.hit();
          break;
        case "burst":
          this.#burst(effect.at.x, effect.at.y, hue);
          listener.burst(effect.at.x, effect.at.y, effect.isOwn);
          break;
      }
    }
  }

  /** Adds one spark of a flame; velocity in units per tick. */
  spark(x: number, y: number, vx: number, vy: number, hue: number): void {
    this.#addParticle({ x, y, vx, vy, age: 0, life: 260 + Math.random() * 200, size: 2.2, style: colour(hue, 1, 70) });
  }

  draw(context: CanvasRenderingContext2D, camera: Camera, elapsedMs: number): void {
    const ticks = elapsedMs / TICK_MS;
    context.globalCompositeOperation = "lighter";
    this.#particles = this.#particles.filter((particle) => (particle.age += elapsedMs) < particle.life);
    const drag = Math.pow(0.97, ticks);
    for (const particle of this.#particles) {
      particle.x += particle.vx * ticks;
      particle.y += particle.vy * ticks;
      particle.vx *= drag;
      particle.vy *= drag;
      const remaining = 1 - particle.age / particle.life;
      context.globalAlpha = remaining;
      context.fillStyle = particle.style;
      const size = particle.size * (0.4 + remaining * 0.6);
      context.fillRect(particle.x - size / 2, particle.y - size / 2, size, size);
    }
    context.globalAlpha = 1;
    this.#drawBeams(context, elapsedMs);
    this.#drawRings(context, elapsedMs);
    context.globalCompositeOperation = "source-over";
    this.#drawHits(context, camera, elapsedMs);
  }

  #drawBeams(context: CanvasRenderingContext2D, elapsedMs: number): void {
    context.lineCap = "round";
    this.#beams = this.#beams.filter((beam) => beam.age < BEAM_MS);
    for (const beam of this.#beams) {
      const remaining = 1 - beam.age / BEAM_MS;
      for (const [width, style] of [
        [12, colour(beam.hue, 0.13 * remaining)],
        [5, colour(beam.hue, 0.5 * remaining)],
        [1.8, `rgb(255 255 255 / ${remaining})`],
      ] as const) {
        context.lineWidth = width * (0.4 + remaining * 0.6);
        context.strokeStyle = style;
        context.beginPath();
        context.moveTo(beam.x0, beam.y0);
        context.lineTo(beam.x1, beam.y1);
        context.stroke();
      }
      for (const [x, y, size] of [
        [beam.x0, beam.y0, 11],
        [beam.x1, beam.y1, 15],
      ] as const) {
        const flash = context.createRadialGradient(x, y, 0, x, y, size);
        flash.addColorStop(0, `rgb(255 255 255 / ${0.8 * remaining})`);
        flash.addColorStop(0.4, colour(beam.hue, 0.45 * remaining));
        flash.addColorStop(1, colour(beam.hue, 0));
        context.fillStyle = flash;
        context.fillRect(x - size, y - size, size * 2, size * 2);
      }
      // Ages only after drawing, so that even a slow frame shows each beam once at full brightness.
      beam.age += elapsedMs;
    }
  }

  #drawRings(context: CanvasRenderingContext2D, elapsedMs: number): void {
    this.#rings = this.#rings.filter((ring) => ring.age < RING_MS);
    for (const ring of this.#rings) {
      const part = ring.age / RING_MS;
      const radius = 14 + 92 * (1 - (1 - part) ** 3);
      context.lineWidth = 7 * (1 - part);
      context.strokeStyle = colour(ring.hue, 0.7 * (1 - part), 70);
      context.beginPath();
      context.arc(ring.x, ring.y, radius, 0, Math.PI * 2);
      context.stroke();
      const flash = Math.max(0, 1 - part * 2.6);
      if (flash > 0) {
        const light = context.createRadialGradient(ring.x, ring.y, 0, ring.x, ring.y, 90);
        light.addColorStop(0, `rgb(255 250 235 / ${flash})`);
        light.addColorStop(0.35, `rgb(255 190 100 / ${flash * 0.55})`);
        light.addColorStop(1, "rgb(255 120 60 / 0)");
        context.fillStyle = light;
        context.fillRect(ring.x - 90, ring.y - 90, 180, 180);
      }
      ring.age += elapsedMs;
    }
  }

  #drawHits(context: CanvasRenderingContext2D, camera: Camera, elapsedMs: number): void {
    this.#hits = this.#hits.filter((hit) => hit.age < HIT_MS);
    const pixel = camera.pixelRatio / camera.scale;
    for (const hit of this.#hits) {
      const remaining = 1 - hit.age / HIT_MS;
      const [near, far] = [5 * pixel, (9 + 6 * remaining) * pixel];
      context.lineWidth = 2.5 * pixel;
      context.strokeStyle = `rgb(255 255 255 / ${remaining})`;
      context.beginPath();
      for (const [dx, dy] of [
        [1, 1],
        [1, -1],
        [-1, 1],
        [-1, -1],
      ] as const) {
        context.moveTo(hit.x + dx * near, hit.y + dy * near);
        context.lineTo(hit.x + dx * far, hit.y + dy * far);
      }
      context.stroke();
      hit.age += elapsedMs;
    }
  }

  #sparks(x: number, y: number, dx: number, dy: number, count: number, hue: number): void {
    for (let spark = 0; spark < count; spark++) {
      const angle = Math.atan2(dy, dx) + (Math.random() - 0.5) * 2.4;
      const speed = 1 + Math.random() * 4;
      this.#addParticle({
        x,
        y,
        vx: Math.cos(angle) * speed,
        vy: Math.sin(angle) * speed,
        age: 0,
        life: 180 + Math.random() * 320,
        size: 1.4 + Math.random() * 1.8,
        style: Math.random() < 0.5 ? "#fff3d0" : colour(hue, 1, 75),
      });
    }
  }

  #burst(x: number, y: number, hue: number): void {
    this.#rings.push({ x, y, hue, age: 0 });
    for (let shard = 0; shard < 90; shard++) {
      const angle = Math.random() * Math.PI * 2;
      const speed = Math.random() ** 1.6 * 7.5;
      this.#addParticle({
        x,
        y,
        vx: Math.cos(angle) * speed,
        vy: Math.sin(angle) * speed,
        age: 0,
        life: 350 + Math.random() * 900,
        size: 1.5 + Math.random() * 3.5,
        style: ["#fff6dc", "#ffc46b", "#ff8a4a", colour(hue, 1, 66)][shard % 4] ?? "#fff6dc",
      });
    }
  }

  #addParticle(particle: Particle): void {
    if (this.#particles.length >= MAX_PARTICLES) this.#particles.shift();
    this.#particles.push(particle);
  }
}
