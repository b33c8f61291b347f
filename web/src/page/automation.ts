// What scripts and tests read of a running page: `window.tickwire`. Plain values, refreshed once a frame.

export interface Automation {
  state: "connecting" | "playing" | "reconnecting" | "closed";
  /** The newest tick that the replica holds. */
  tick: number;
  /** Entities in the view. */
  entities: number;
  rttMs: number;
  /** The player's entity id; 0 before Welcome. */
  playerId: number;
  /** View hashes that did not match. It must stay 0. */
  viewMismatches: number;
  /** Predictions that the server corrected. */
  corrections: number;
  /** Arrival of the newest snapshot minus its tick's due time. */
  snapshotAgeMs: number;
  /** All WebSocket payload received. */
  bytesIn: number;
  /** Where the player's own ship is drawn (world units); null without one. */
  own: { x: number; y: number } | null;
}

declare global {
  interface Window {
    tickwire?: Automation;
  }
}
