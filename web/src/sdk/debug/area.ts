// The area of interest: the world's grid drawn small, with the cells that the client holds, and the rows that the screen shows.
//
// In: the grid and the cells of the core, and rows as the page sees them. Out: pixels, and a line of text.

import type { Schema } from "../schema.js";
import type { World } from "./probe.js";
import { fieldsOf, memberAt, nameOf, stepsOf } from "./text.js";

/** Of the kinds, by their numbers; then again from the first. */
export const KIND_COLORS = ["#7fa8cc", "#d0a96a", "#86b49a", "#a795c6", "#cf7f7a", "#6fb3b0", "#b5b96c", "#c28fb0"] as const;

const MAX_HEIGHT_PX = 220;
/** Cells that are this many ticks behind the newest one are drawn as old as can be. */
const OLD_TICKS = 30;

interface Row {
  readonly isOwn: boolean;
}

export class AreaView {
  readonly element = document.createElement("div");
  readonly #canvas = document.createElement("canvas");
  readonly #line = document.createElement("p");

  constructor() {
    this.element.className = "area";
    this.element.append(this.#canvas, this.#line);
  }

  show(world: World | undefined, { kinds }: Schema, shown: Record<string, unknown>): void {
    if (!world) {
      this.#line.textContent = "no world yet";
      return;
    }
    const { columns, rows, cells, cellSize } = world;
    const newest = Math.max(...cells.map(({ tick }) => tick));
    const squares = cells.filter(({ square }) => square);
    const ages = cells.map(({ tick }) => newest - tick);
    const steps = stepsOf(kinds[world.isPlaced.indexOf(true)]);
    const hasGlobal = cells.length > squares.length;
    this.#line.textContent =
      `holds ${squares.length} of ${columns * rows} cells${hasGlobal ? " and the global one" : ""} · a cell is ${cellSize / steps} wide · ` +
      (ages.some((age) => age > 0) ? `the oldest is ${Math.max(...ages)} ticks behind` : "all at the newest tick");
    const pen = this.#canvas.getContext("2d");
    const room = this.element.clientWidth;
    if (!pen || room === 0) return;
    const side = Math.min(room / columns, MAX_HEIGHT_PX / rows);
    const [width, height] = [side * columns, side * rows];
    const scale = devicePixelRatio;
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.#canvas.width !== wide || this.#canvas.height !== high) {
      [this.#canvas.width, this.#canvas.height] = [wide, high];
      this.#canvas.style.width = `${width}px`;
      this.#canvas.style.height = `${height}px`;
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.fillStyle = "#0d1116";
    pen.fillRect(0, 0, width, height);
    for (const { square, tick } of squares) {
      const [column, row] = square as readonly [number, number];
      const age = Math.min(1, (newest - tick) / OLD_TICKS);
      // From blue to brown.
      pen.fillStyle = `rgb(${47 + 60 * age} ${74 + 14 * age} ${99 - 45 * age})`;
      // At least a pixel, of worlds with many cells.
      pen.fillRect(column * side, row * side, Math.max(1, side), Math.max(1, side));
    }
    if (side >= 4) {
      pen.fillStyle = "#ffffff14";
      for (let column = 0; column <= columns; column++) pen.fillRect(Math.round(column * side), 0, 1, height);
      for (let row = 0; row <= rows; row++) pen.fillRect(0, Math.round(row * side), width, 1);
    }
    kinds.forEach((kind, number) => {
      if (!world.isPlaced[number]) return;
      const [x, y] = fieldsOf(kind, kinds);
      if (!x || !y) return;
      const perLaneUnit = side / cellSize;
      for (const row of (shown[nameOf(kind)] ?? []) as Row[]) {
        const across = (Number(memberAt(row, x.path)) * stepsOf(kind) - world.origin[0]) * perLaneUnit;
        const down = (Number(memberAt(row, y.path)) * stepsOf(kind) - world.origin[1]) * perLaneUnit;
        pen.beginPath();
        pen.arc(across, down, row.isOwn ? 3 : 2, 0, 7);
        pen.fillStyle = KIND_COLORS[number % KIND_COLORS.length] as string;
        pen.fill();
        if (!row.isOwn) continue;
        pen.beginPath();
        pen.arc(across, down, 5.5, 0, 7);
        pen.strokeStyle = "#ffffff";
        pen.stroke();
      }
    });
  }
}
