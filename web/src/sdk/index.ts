// @tickwire/client: what an app imports.

export { TickwireClient, loadCore, type ClientOptions } from "./client.js";
export type { ClientEvents, Phase, PlayerRow, Status } from "./types.js";
export { Button, EffectKind, EntityKind, Frame } from "./frame.js";
