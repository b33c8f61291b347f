// Corrections with their cause: what was predicted, what it is, lane by lane, and the input of the tick.
//
// In: corrections of the core. Out: a table, the newest first.

import { InputCodec } from "../inputs.js";
import type { Schema } from "../schema.js";
import { readMembers } from "../values.js";
import { CAUSES, SERVER_STATE, type Correction } from "./probe.js";
import { Table, type Cell } from "./table.js";
import { difference, fieldsOf, membersOf, nameOf, shortly, stepsOf, type RowField } from "./text.js";

const MAX_KEPT = 50;
/** Corrections with the same cause that follow each other within so many ticks are one entry. */
const MERGED_TICKS = 30;

type Line = { readonly style?: string; readonly cells: readonly Cell[] };

/** Corrections with the same cause, one soon after the other. */
interface Entry {
  readonly key: string;
  readonly firstTick: number;
  lastTick: number;
  count: number;
  /** The one of them that moved the player most. */
  largest: Correction;
  lines: readonly Line[];
}

export class CorrectionsView {
  readonly element = document.createElement("div");
  readonly #table = new Table();
  #entries: Entry[] = [];
  count = 0;

  constructor() {
    this.element.append(this.#table.element);
  }

  /** `isPlaced`: of each kind, whether it has a position. */
  add(corrections: readonly Correction[], schema: Schema, isPlaced: readonly boolean[]): void {
    this.count += corrections.length;
    for (const correction of corrections) {
      const kind = schema.kinds[correction.kind];
      if (!kind) continue;
      const lanes = fieldsOf(kind, schema.kinds).flatMap((field) => lineOf(field, correction.predicted, correction.corrected));
      // What a late input or a neighbour changes differs each time.
      const names = correction.cause === SERVER_STATE ? lanes.map(({ cells }) => cells[0]?.text).join() : "";
      const key = [correction.cause, correction.kind, correction.slot, names].join(" ");
      const { tick } = correction;
      const at = this.#entries.findIndex((one) => one.key === key && Math.abs(tick - one.lastTick) <= MERGED_TICKS);
      const entry = this.#entries.splice(at, at < 0 ? 0 : 1)[0] ?? { key, firstTick: tick, lastTick: tick, count: 0, largest: correction, lines: [] };
      this.#entries.unshift(entry);
      entry.count++;
      entry.lastTick = Math.max(entry.lastTick, tick);
      if (correction.moved > entry.largest.moved) entry.largest = correction;
      const { moved } = entry.largest;
      const way = isPlaced[correction.kind] && moved > 0 ? `moved by ${shortly(moved / stepsOf(kind))}` : "";
      const ticks = entry.lastTick > entry.firstTick ? `ticks ${entry.firstTick} to ${entry.lastTick}` : `tick ${tick}`;
      const times = entry.count > 1 ? `${entry.count} times${way && `, the largest ${way}`}` : way;
      const parts = [ticks, `${nameOf(kind)} ${correction.slot}`, times, CAUSES[correction.cause]].filter(Boolean);
      const title: Line = { style: "correction", cells: [{ text: parts.join(" · "), span: 4 }] };
      entry.lines = [title, ...(entry.largest === correction ? [...lanes, ...inputLine(correction, schema)] : entry.lines.slice(1))];
    }
    this.#entries.length = Math.min(this.#entries.length, MAX_KEPT);
  }

  show(note: string): void {
    const none = note ? `nothing is predicted: ${note}` : "every prediction has come true";
    this.#table.show([
      { style: "head", cells: [{ text: "field" }, ...["predicted", "confirmed", "apart"].map((text) => ({ text, style: "number" }))] },
      ...this.#entries.flatMap(({ lines }) => lines),
      ...(this.#entries.length === 0 ? [{ cells: [{ text: none, span: 4, style: "dim" }] }] : []),
    ]);
  }
}

function inputLine({ input }: Correction, schema: Schema): Line[] {
  const codec = new InputCodec(schema);
  if (!codec.isDescribed) return [];
  const wanted = membersOf(readMembers(codec.leaves, (leaf) => leaf.read(input)));
  return [{ cells: [{ text: `input: ${wanted}`, span: 4, style: "dim" }] }];
}

function lineOf({ leaf, name, unit, isPrivate, isAngle }: RowField, predicted: readonly number[], corrected: readonly number[]): Line[] {
  if (!leaf) return [];
  const [before, after] = [leaf.read(predicted), leaf.read(corrected)];
  if (before === after) return [];
  return [
    {
      style: "lane",
      cells: [
        { text: isPrivate ? `${name} (private)` : name, style: isPrivate ? "private" : "" },
        { text: shortly(before), style: "number" },
        { text: shortly(after), style: "number" },
        { text: `${difference(before, after, isAngle)} ${unit}`.trim(), style: "number" },
      ],
    },
  ];
}
