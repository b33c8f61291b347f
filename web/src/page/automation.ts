// What scripts and tests read of a running page: `window.tickwire`.
//
// Its properties are read from the session when somebody reads them, so that they are as fresh in a hidden tab, where no
// frames are drawn.

import type { Phase, TickwireClient } from "../sdk/index.js";

export interface Automation {
  readonly state: Phase;
  /** The newest tick that the replica holds. */
  readonly tick: number;
  /** Entities in the view. */
  readonly entities: number;
  readonly rttMs: number;
  /** The player's entity id; 0 before Welcome. */
  readonly playerId: number;
  /** View hashes that did not match. It must stay 0. */
  readonly viewMismatches: number;
  /** Predictions that the server corrected. */
  readonly corrections: number;
  /** Arrival of the newest snapshot minus its tick's due time. */
  readonly snapshotAgeMs: number;
  /** All WebSocket payload received. */
  readonly bytesIn: number;
  /** Where the player's own ship is drawn (world units); null without one. */
  readonly own: { x: number; y: number } | null;
  /** Frames drawn since the page was loaded. */
  readonly frames: number;
  /** The player's own shots that were drawn since. */
  readonly shots: number;
}

declare global {
  interface Window {
    tickwire?: Automation;
  }
}

/** What the page knows and the session does not. */
export interface Drawn {
  client: TickwireClient | undefined;
  /** Whether there will be no client: the game could not be loaded. */
  hasGivenUp: boolean;
  own: { x: number; y: number } | null;
  frames: number;
  shots: number;
}

export function automationOf(drawn: Drawn): Automation {
  const status = () => drawn.client?.status();
  return {
    get state() {
      return drawn.client?.phase ?? (drawn.hasGivenUp ? "closed" : "connecting");
    },
    get tick() {
      return status()?.tick ?? 0;
    },
    get entities() {
      return status()?.entities ?? 0;
    },
    get rttMs() {
      return status()?.rttMs ?? 0;
    },
    get playerId() {
      return drawn.client?.playerId ?? 0;
    },
    get viewMismatches() {
      return status()?.viewMismatches ?? 0;
    },
    get corrections() {
      return status()?.corrections ?? 0;
    },
    get snapshotAgeMs() {
      return status()?.snapshotAgeMs ?? 0;
    },
    get bytesIn() {
      return status()?.bytesIn ?? 0;
    },
    get own() {
      return drawn.own;
    },
    get frames() {
      return drawn.frames;
    },
    get shots() {
      return drawn.shots;
    },
  };
}
