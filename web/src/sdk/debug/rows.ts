// The rows by kind: how many there are, what they have, and of a kind that was picked each row with its fields.
//
// In: the schema, and rows as the page sees them. Out: two tables.

import type { Schema } from "../schema.js";
import { slotOf } from "../values.js";
import { KIND_COLORS } from "./area.js";
import { Table, type Cell } from "./table.js";
import { fieldsOf, heading, memberAt, nameOf, shortly, type RowField } from "./text.js";

/** More rows are only counted. */
const MAX_ROWS = 60;

interface Row {
  readonly id: number;
  readonly isOwn: boolean;
}

export class RowsView {
  readonly element = document.createElement("div");
  #picked: number | undefined;
  readonly #kinds = new Table((index) => {
    // The first row has the headings. A second press closes the list.
    if (index > 0) this.#picked = this.#picked === index - 1 ? undefined : index - 1;
  });
  readonly #rows = new Table();
  #schema: Schema | undefined;
  #fields: RowField[][] = [];

  constructor() {
    this.element.className = "rows";
    this.element.append(this.#kinds.element, this.#rows.element);
  }

  show(schema: Schema, shown: Record<string, unknown>): void {
    if (schema !== this.#schema) {
      this.#schema = schema;
      this.#fields = schema.kinds.map((kind) => fieldsOf(kind, schema.kinds));
    }
    const rowsOf = (number: number) => (shown[nameOf(schema.kinds[number] as Schema["kinds"][number])] ?? []) as readonly Row[];
    this.#kinds.show([
      { style: "head", cells: [{ text: "kind" }, { text: "rows" }, { text: "fields" }] },
      ...schema.kinds.map((kind, number) => ({
        style: number === this.#picked ? "picked" : "",
        cells: [
          { text: nameOf(kind), style: `kind kind${number % KIND_COLORS.length}` },
          { text: String(rowsOf(number).length), style: "number" },
          { text: (this.#fields[number] as RowField[]).map(heading).join(", "), style: "dim" },
        ],
      })),
    ]);
    if (this.#picked === undefined || !schema.kinds[this.#picked]) {
      this.#rows.show([]);
      return;
    }
    const fields = this.#fields[this.#picked] as RowField[];
    const rows = [...rowsOf(this.#picked)].sort((a, b) => Number(b.isOwn) - Number(a.isOwn) || slotOf(a.id) - slotOf(b.id));
    const more = rows.length - MAX_ROWS;
    this.#rows.show([
      { style: "head", cells: [{ text: "slot" }, ...fields.map((field): Cell => ({ text: heading(field), style: field.isPrivate ? "private" : "" }))] },
      ...rows.slice(0, MAX_ROWS).map((row) => ({
        style: row.isOwn ? "own" : "",
        cells: [
          { text: String(slotOf(row.id)), style: "number" },
          ...fields.map((field): Cell => {
            const value = memberAt(row, field.path);
            return { text: shortly(value), style: `${typeof value === "number" ? "number" : ""}${field.isPrivate ? " private" : ""}` };
          }),
        ],
      })),
      ...(more > 0 ? [{ cells: [{ text: `and ${more} more`, span: fields.length + 1, style: "dim" }] }] : []),
    ]);
  }
}
