export { TickwireClient, loadCore, type ClientOptions } from "./client.js";
export type { ClientEvents, Errors, Phase, Status } from "./types.js";
export type { Kind, Schema } from "./schema.js";
export type { Frame, Row } from "./frame.js";
