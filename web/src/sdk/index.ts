// @tickwire/client: everything that a page imports.

export { join, type JoinOptions } from "./join.js";
export type { MatchOptions, Seat } from "./lobby.js";
export { loadCore, type CoreSource } from "./core.js";
export { Room } from "./room.js";
export type { Frame, Row, When } from "./room.js";
export type { AnyGame, GameTypes, Protocol, Shape, Types } from "./protocol.js";
export type { RowBase } from "./rows.js";
export type { Errors, Phase, Stats } from "./types.js";
export type { Field, InputField, Kind, Lane, PayloadKind, Schema, ValueType } from "./schema.js";
