// The camera: which part of the world the canvas shows. Never shows more than the server replicates around a ship.

import { isMotionReduced } from "./motion.js";

/** Largest part of the world on the screen, in units: twice the arena's `HALF_SCREEN`. */
const VIEW_WIDTH = 1280;
const VIEW_HEIGHT = 720;
/** Time constant of following a ship: after this time 1/e of the distance is left. */
const FOLLOW_MS = 70;
/** Over longer distances the camera jumps: it follows another ship. */
const JUMP_UNITS = 500;
/** Nobody sees finer pixels. A machine that is too slow gets fewer, down to one per CSS pixel. */
const MAX_PIXEL_RATIO = 2;
const SLOW_FRAME_MS = 24;
const SLOW_FRAMES = 45;

export class Camera {
  x = 2048;
  y = 2048;
  /** Canvas pixels per unit. */
  scale = 1;
  width = 0;
  height = 0;
  pixelRatio = 1;
  #shake = 0;
  #isPlaced = false;
  #maxRatio = MAX_PIXEL_RATIO;
  #slowFrames = 0;

  /** Fits the canvas to its element, sharp on any display. */
  fit(canvas: HTMLCanvasElement): void {
    this.pixelRatio = Math.min(devicePixelRatio, this.#maxRatio);
    const width = Math.max(1, Math.round(canvas.clientWidth * this.pixelRatio));
    const height = Math.max(1, Math.round(canvas.clientHeight * this.pixelRatio));
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    [this.width, this.height] = [width, height];
    this.scale = Math.max(width / VIEW_WIDTH, height / VIEW_HEIGHT);
  }

  /** Takes the time of the last frame, and lowers the resolution if most frames are slow. */
  adaptResolution(elapsedMs: number): void {
    this.#slowFrames = Math.max(0, this.#slowFrames + (elapsedMs > SLOW_FRAME_MS ? 1 : -1));
    if (this.#slowFrames < SLOW_FRAMES) return;
    this.#slowFrames = 0;
    this.#maxRatio = Math.max(1, Math.min(this.#maxRatio, devicePixelRatio) - 0.5);
  }

  follow(focus: { x: number; y: number } | undefined, elapsedMs: number): void {
    this.#shake *= Math.exp(-elapsedMs / 90);
    if (!focus) return;
    const isFar = Math.hypot(focus.x - this.x, focus.y - this.y) > JUMP_UNITS;
    const part = this.#isPlaced && !isFar ? 1 - Math.exp(-elapsedMs / FOLLOW_MS) : 1;
    this.x += (focus.x - this.x) * part;
    this.y += (focus.y - this.y) * part;
    this.#isPlaced = true;
  }

  /** Moves slowly while there is nothing to follow. */
  drift(elapsedMs: number): void {
    this.x += elapsedMs * 0.02;
    this.y += elapsedMs * 0.008;
  }

  shake(units: number): void {
    if (!isMotionReduced()) this.#shake = Math.max(this.#shake, units);
  }

  /** Transforms the context to world units. */
  apply(context: CanvasRenderingContext2D): void {
    const shakeX = (Math.random() - 0.5) * this.#shake;
    const shakeY = (Math.random() - 0.5) * this.#shake;
    const { scale } = this;
    context.setTransform(
      scale,
      0,
      0,
      scale,
      this.width / 2 - (this.x + shakeX) * scale,
      this.height / 2 - (this.y + shakeY) * scale,
    );
  }

  /** Whether a circle is visible. */
  sees(x: number, y: number, radius: number): boolean {
    return (
      Math.abs(x - this.x) < this.width / 2 / this.scale + radius && Math.abs(y - this.y) < this.height / 2 / this.scale + radius
    );
  }

  /** The point in the world under a point of the page (CSS pixels). */
  worldAt(pageX: number, pageY: number): { x: number; y: number } {
    return {
      x: this.x + (pageX * this.pixelRatio - this.width / 2) / this.scale,
      y: this.y + (pageY * this.pixelRatio - this.height / 2) / this.scale,
    };
  }
}
