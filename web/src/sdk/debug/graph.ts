// The net graph: a small plot for each measurement, over the last ten seconds.
//
// In: measurements of a session, one of each for every frame. Out: pixels, and the newest numbers as text.

import type { Room } from "../room.js";
import type { AnyGame } from "../protocol.js";
import type { Probe } from "./probe.js";

const WINDOW_MS = 10_000;
/** Ten seconds at 240 Hz. */
const MAX_SAMPLES = 2_400;
/** Bytes are counted over this time. */
const RATE_MS = 500;
const ROW_PX = 22;

const enum Look {
  Line,
  /** A count: bars, and its sum as text. */
  Bars,
}

interface Series {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly color: string;
  readonly look: Look;
  /** The least range of the vertical axis. */
  readonly range: readonly [number, number];
  readonly digits: number;
}

const line = (name: string, unit: string, color: string, range: readonly [number, number], title: string, digits = 0): Series => ({ name, unit, color, range, title, digits, look: Look.Line });
const bars = (name: string, unit: string, color: string, title: string): Series => ({ name, unit, color, title, range: [0, 1], digits: 0, look: Look.Bars });

const SERIES: readonly Series[] = [
  line("round trip", "ms", "#7fa8cc", [0, 50], "of the newest ping"),
  line("snapshot gap", "ms", "#86b49a", [0, 50], "between two snapshots; the open one while none comes"),
  line("snapshot age", "ms", "#86b49a", [0, 50], "on arrival, since its tick was due"),
  line("interpolation", "ms", "#a795c6", [0, 50], "how far others are shown behind the quickest arrival"),
  line("received", "kB/s", "#c2a878", [0, 2], "payload, without the headers below", 1),
  line("sent", "kB/s", "#c2a878", [0, 2], "payload, without the headers below", 1),
  line("input margin", "ticks", "#7fa8cc", [-1, 3], "how early the newest input reached the server; below 0 it was too late", 1),
  bars("inputs repeated", "in 10 s", "#cf7f7a", "ticks for which the server had no input: it repeated the one before"),
  bars("corrections", "in 10 s", "#cf7f7a", "predicted states that others replaced; the tab below lists them"),
];

const enum At {
  Margin = 6,
  Repeated = 7,
}

export class NetGraph {
  readonly element = document.createElement("div");
  readonly #canvas = document.createElement("canvas");
  readonly #values = SERIES.map(() => document.createElement("output"));
  readonly #samples = SERIES.map(() => new Float32Array(MAX_SAMPLES));
  readonly #times = new Float64Array(MAX_SAMPLES);
  /** Totals at each sample: of bytes in and out, and of repeated inputs. */
  readonly #totals = [0, 1, 2].map(() => new Float64Array(MAX_SAMPLES));
  #count = 0;

  constructor() {
    this.element.className = "graph";
    this.#canvas.style.gridRow = `1 / ${SERIES.length + 1}`;
    this.element.append(this.#canvas);
    SERIES.forEach(({ name, title }, index) => {
      const label = document.createElement("span");
      const value = this.#values[index] as HTMLElement;
      [label.textContent, label.title] = [name, title];
      value.dataset["of"] = name;
      label.style.gridRow = value.style.gridRow = String(index + 1);
      this.element.append(label, value);
    });
  }

  /** Forgets what was measured: there is a gap. */
  clear(): void {
    this.#count = 0;
  }

  /** Measures once. `corrections`: how many there were since the last time. */
  sample(now: number, { stats }: Room<AnyGame>, probe: Probe, corrections: number): void {
    const at = this.#count % MAX_SAMPLES;
    const before = (this.#count + MAX_SAMPLES - 1) % MAX_SAMPLES;
    const isFirst = this.#count === 0;
    this.#times[at] = now;
    [stats.bytesIn, stats.bytesOut, probe.counters().missedInputs].forEach((total, index) => ((this.#totals[index] as Float64Array)[at] = total));
    const rateAt = this.#firstSince(now - RATE_MS, this.#count);
    const perSecond = (index: number) => {
      const totals = this.#totals[index] as Float64Array;
      const elapsed = now - (this.#times[rateAt] as number);
      return elapsed > 0 ? ((totals[at] as number) - (totals[rateAt] as number)) / elapsed : 0;
    };
    const more = (index: number) => {
      const totals = this.#totals[index] as Float64Array;
      return isFirst ? 0 : (totals[at] as number) - (totals[before] as number);
    };
    const values = [stats.rttMs, stats.snapshotGapMs, stats.snapshotAgeMs, stats.interpolationDelayMs, perSecond(0), perSecond(1), stats.inputMarginTicks, more(2), isFirst ? 0 : corrections];
    values.forEach((value, index) => ((this.#samples[index] as Float32Array)[at] = value));
    this.#count++;
  }

  /** Index of the oldest sample kept that is not older than `time`, of the samples up to number `newest`. */
  #firstSince(time: number, newest: number): number {
    let number = newest;
    const oldest = Math.max(0, newest - MAX_SAMPLES + 2);
    while (number > oldest && (this.#times[(number - 1) % MAX_SAMPLES] as number) >= time) number--;
    return number % MAX_SAMPLES;
  }

  /** Writes the newest numbers. */
  writeValues(): void {
    if (this.#count === 0) return;
    const newest = this.#count - 1;
    const at = newest % MAX_SAMPLES;
    SERIES.forEach(({ look, digits, unit }, index) => {
      const samples = this.#samples[index] as Float32Array;
      let value = samples[at] as number;
      if (look === Look.Bars) {
        value = 0;
        for (let one = this.#firstSince((this.#times[at] as number) - WINDOW_MS, newest); one !== (at + 1) % MAX_SAMPLES; one = (one + 1) % MAX_SAMPLES) value += samples[one] as number;
      }
      const output = this.#values[index] as HTMLElement;
      output.textContent = `${value.toFixed(digits)} ${unit}`;
      output.classList.toggle("bad", index === At.Margin ? value < 0 : index >= At.Repeated && value > 0);
    });
  }

  draw(now: number): void {
    const canvas = this.#canvas;
    const pen = canvas.getContext("2d");
    const width = canvas.clientWidth;
    if (!pen || width === 0 || this.#count === 0) return;
    const scale = devicePixelRatio;
    const [wide, high] = [Math.round(width * scale), Math.round(ROW_PX * SERIES.length * scale)];
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, ROW_PX * SERIES.length);
    const newest = this.#count - 1;
    const first = this.#firstSince(now - WINDOW_MS, newest);
    const end = (newest + 1) % MAX_SAMPLES;
    pen.font = "9px ui-monospace, monospace";
    pen.textAlign = "right";
    SERIES.forEach((series, index) => this.#drawSeries(pen, series, index, { now, width, first, end }));
  }

  #drawSeries(pen: CanvasRenderingContext2D, { range, color, look, digits }: Series, index: number, { now, width, first, end }: { now: number; width: number; first: number; end: number }): void {
    const samples = this.#samples[index] as Float32Array;
    let [low, high] = range;
    for (let at = first; at !== end; at = (at + 1) % MAX_SAMPLES) {
      const value = samples[at] as number;
      if (value > high) high = value;
      if (value < low) low = value;
    }
    high = low + nice(high - low);
    const bottom = (index + 1) * ROW_PX - 2;
    const tall = ROW_PX - 5;
    const y = (value: number) => bottom - ((value - low) / (high - low)) * tall;
    const x = (at: number) => width - ((now - (this.#times[at] as number)) / WINDOW_MS) * width;
    pen.fillStyle = "#ffffff0a";
    pen.fillRect(0, bottom - tall, width, tall);
    // The axis: 0, which is the bottom but of margins.
    pen.fillStyle = "#ffffff2a";
    pen.fillRect(0, Math.round(y(0)), width, 1);
    pen.fillStyle = pen.strokeStyle = color;
    if (look === Look.Bars) {
      for (let at = first; at !== end; at = (at + 1) % MAX_SAMPLES) {
        const value = samples[at] as number;
        if (value > 0) pen.fillRect(x(at) - 1, y(value), 2, bottom - y(value));
      }
    } else {
      pen.beginPath();
      for (let at = first; at !== end; at = (at + 1) % MAX_SAMPLES) pen.lineTo(x(at), y(samples[at] as number));
      pen.lineWidth = 1.25;
      pen.stroke();
    }
    if (look === Look.Bars) return;
    const scale = high < 10 && digits > 0 ? String(Number(high.toFixed(1))) : high.toFixed(0);
    pen.fillStyle = "#12161cb0";
    pen.fillRect(width - 6 * scale.length - 3, bottom - tall, 6 * scale.length + 3, 10);
    pen.fillStyle = "#8d98a8";
    pen.fillText(scale, width - 2, bottom - tall + 8);
  }
}

/** The next of 1, 2, 5, 10, 20, … */
function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-3)));
  for (const step of [1, 2, 5]) if (value <= step * power) return step * power;
  return 10 * power;
}
