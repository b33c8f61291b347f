// The net graph (key N, or a tap on the read-out): the latest seconds of every measurement of the connection, and the read-out that is
// always visible.

import type { Stats } from "@tickwire/client";
import { byId, onTap } from "./dom.js";

const MAX_SAMPLES = 180;
const RATE_WINDOW_MS = 1_000;
const ROW_HEIGHT = 34;
const WIDTH = 300;

interface Graph {
  title: string;
  unit: string;
  digits: number;
  colour: string;
  /** Smallest maximum of the scale. */
  minScale: number;
  /** Whether to draw bars instead of a line. */
  isBars: boolean;
  read(stats: Stats, netGraph: NetGraph): number;
}

const GRAPHS: Graph[] = [
  { title: "round trip", unit: "ms", digits: 1, colour: "#6cc7ff", minScale: 20, isBars: false, read: (stats) => stats.rttMs },
  { title: "jitter (p99)", unit: "ms", digits: 1, colour: "#c6a3ff", minScale: 10, isBars: false, read: (stats) => stats.jitterMs },
  { title: "input margin", unit: "ticks", digits: 1, colour: "#7ff0b5", minScale: 4, isBars: false, read: (stats) => stats.inputMarginTicks },
  { title: "interpolation delay", unit: "ms", digits: 1, colour: "#ffd479", minScale: 30, isBars: false, read: (stats) => stats.interpolationDelayMs },
  { title: "snapshot gap", unit: "ms", digits: 1, colour: "#ff9f6e", minScale: 34, isBars: false, read: (stats) => stats.snapshotGapMs },
  { title: "snapshot age", unit: "ms", digits: 1, colour: "#ff7eb6", minScale: 20, isBars: false, read: (stats) => stats.snapshotAgeMs },
  { title: "received", unit: "kB/s", digits: 1, colour: "#9be15d", minScale: 10, isBars: false, read: (_, graph) => graph.bytesPerSecond / 1000 },
  { title: "corrections", unit: "in total", digits: 0, colour: "#ff5d5d", minScale: 1, isBars: true, read: (_, graph) => graph.newCorrections },
];

export class NetGraph {
  bytesPerSecond = 0;
  newCorrections = 0;
  readonly #panel = byId("netgraph", HTMLElement);
  readonly #canvas = byId("netgraph-canvas", HTMLCanvasElement);
  readonly #line = byId("readout", HTMLButtonElement);
  readonly #values = GRAPHS.map(() => [] as number[]);
  #window: { at: number; bytes: number }[] = [];
  #corrections = 0;
  #lineUpdatedAt = 0;

  constructor() {
    // A phone has no key N.
    onTap("readout", () => this.toggle());
  }

  toggle(): void {
    this.#panel.hidden = !this.#panel.hidden;
  }

  /** Call it once a frame. */
  update(stats: Stats, now: number): void {
    this.#window.push({ at: now, bytes: stats.bytesIn });
    while (this.#window.length > 2 && now - (this.#window[1]?.at ?? now) >= RATE_WINDOW_MS) this.#window.shift();
    const first = this.#window[0];
    if (first && now > first.at) this.bytesPerSecond = ((stats.bytesIn - first.bytes) * 1000) / (now - first.at);
    this.newCorrections = Math.max(0, stats.corrections - this.#corrections);
    this.#corrections = stats.corrections;
    GRAPHS.forEach((graph, index) => {
      const values = this.#values[index];
      values?.push(graph.read(stats, this));
      if (values && values.length > MAX_SAMPLES) values.shift();
    });
    if (now - this.#lineUpdatedAt > 250) {
      this.#lineUpdatedAt = now;
      this.#line.textContent = `${stats.rttMs.toFixed(0)} ms · ${(this.bytesPerSecond / 1000).toFixed(1)} kB/s`;
    }
    if (!this.#panel.hidden) this.#draw(stats);
  }

  #draw(stats: Stats): void {
    const ratio = devicePixelRatio;
    const height = ROW_HEIGHT * GRAPHS.length;
    this.#canvas.width = WIDTH * ratio;
    this.#canvas.height = height * ratio;
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    context.scale(ratio, ratio);
    context.font = "11px ui-monospace, monospace";
    GRAPHS.forEach((graph, index) => {
      const values = this.#values[index] ?? [];
      const top = index * ROW_HEIGHT;
      const newest = graph.isBars ? stats.corrections : (values.at(-1) ?? 0);
      context.fillStyle = "#9fb2cc";
      context.textAlign = "left";
      context.fillText(graph.title, 0, top + 10);
      context.textAlign = "right";
      if (!graph.isBars) context.fillText(`max ${Math.max(0, ...values).toFixed(graph.digits)}`, WIDTH - 84, top + 10);
      context.fillStyle = graph.colour;
      context.fillText(`${newest.toFixed(graph.digits)} ${graph.unit}`, WIDTH, top + 10);
      plot(context, graph, values, top + 14, ROW_HEIGHT - 18);
    });
  }
}

function plot(context: CanvasRenderingContext2D, graph: Graph, values: number[], top: number, height: number): void {
  const high = Math.max(graph.minScale, ...values);
  const low = Math.min(0, ...values);
  const yOf = (value: number) => top + height - ((value - low) / (high - low)) * height;
  const step = WIDTH / MAX_SAMPLES;
  const left = WIDTH - values.length * step;
  context.fillStyle = "rgb(255 255 255 / 0.05)";
  context.fillRect(0, top, WIDTH, height);
  if (graph.isBars) {
    context.fillStyle = graph.colour;
    values.forEach((value, at) => value > 0 && context.fillRect(left + at * step, yOf(value), step + 0.5, top + height - yOf(value)));
    return;
  }
  context.strokeStyle = graph.colour;
  context.lineWidth = 1.2;
  context.beginPath();
  values.forEach((value, at) => context.lineTo(left + at * step, yOf(value)));
  context.stroke();
}
