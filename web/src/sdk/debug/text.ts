// How the overlay writes values: short, with the units of the schema.

import { Meaning, type Kind, type Lane } from "../schema.js";
import { camelCase, leavesOf, pathOf, type Leaf } from "../values.js";

/** A field of a kind, as rows have it. */
export interface RowField {
  /** As a page writes it, such as `pos.x`. */
  readonly name: string;
  readonly path: readonly string[];
  readonly unit: string;
  readonly isPrivate: boolean;
  /** How to read it from the lanes, the public ones before the private ones; undefined for texts. */
  readonly leaf: Leaf | undefined;
  /** Steps in a turn, of an angle in radians. */
  readonly isAngle: boolean;
}

/** All fields of a kind. `kinds`: all of the schema. */
export function fieldsOf(kind: Kind, kinds: readonly Kind[]): RowField[] {
  const lanes = [...kind.lanes, ...kind.private_lanes];
  const of = (leaf: Leaf): RowField => ({
    name: leaf.path.join("."),
    path: leaf.path,
    unit: unitOf(lanes[leaf.at] as Lane),
    isPrivate: leaf.at >= kind.lanes.length,
    leaf,
    isAngle: lanes[leaf.at]?.value?.meaning === Meaning.Angle,
  });
  const texts = kind.texts.map((text): RowField => ({ name: pathOf(text).join("."), path: pathOf(text), unit: "", isPrivate: false, leaf: undefined, isAngle: false }));
  return [...leavesOf(kind.lanes, kinds).map(of), ...leavesOf(kind.private_lanes, kinds, kind.lanes.length).map(of), ...texts];
}

/** The unit of a lane's value as a page reads it: angles are in radians, and steps of `1/16 unit` in units. */
function unitOf({ unit, value }: Lane): string {
  if (value?.meaning === Meaning.Angle) return "rad";
  return value?.meaning === Meaning.Fixed ? unit.replace(/^1\/\d+ /, "").replace(/^unit\b/, "units") : unit;
}

/** A field's name, with its unit and whether only the owner has it. */
export function heading({ name, unit, isPrivate }: RowField): string {
  const notes = [isPrivate && "private", unit].filter(Boolean);
  return notes.length > 0 ? `${name} (${notes.join(", ")})` : name;
}

/** A member of a row, by its path. */
export const memberAt = (row: unknown, path: readonly string[]): unknown => path.reduce((value, name) => (value as Record<string, unknown> | undefined)?.[name], row);

/** A value in a few letters. */
export function shortly(value: unknown): string {
  if (value === undefined) return "–";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toFixed(3).replace(/\.?0+$/, "");
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === "object" && value !== null) return membersOf(value);
  return String(value);
}

/** The members of an event or an input, in one line. */
export const membersOf = (value: object): string =>
  Object.entries(value)
    .map(([name, member]) => `${name} ${shortly(member)}`)
    .join(" · ");

/** How far `to` is from `from`, with a sign; empty for what is no number. */
export function difference(from: unknown, to: unknown, isAngle: boolean): string {
  if (typeof from !== "number" || typeof to !== "number") return "";
  const turn = 2 * Math.PI;
  const apart = isAngle ? (((to - from) % turn) + 1.5 * turn) % turn - turn / 2 : to - from;
  return `${apart > 0 ? "+" : apart < 0 ? "−" : ""}${shortly(Math.abs(apart))}`;
}

export const nameOf = (kind: Kind): string => camelCase(kind.name);

/** Lane units in a unit of positions. */
export function stepsOf(kind: Kind | undefined): number {
  const value = kind?.lanes[0]?.value;
  return value?.meaning === Meaning.Fixed ? value.steps || 1 : 1;
}
