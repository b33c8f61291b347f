// `window.tickwire`: what scripts and tests read of a running page.
//
// Its properties read the session directly, so that they are fresh even in a hidden tab, which draws no frames.

import type { Phase, Room } from "@tickwire/client";

export interface Automation {
  readonly state: Phase;
  /** The newest tick that the replica holds. */
  readonly tick: number;
  /** Entities in the view. */
  readonly entities: number;
  readonly rttMs: number;
  /** The player's entity id; 0 before Welcome. */
  readonly playerId: number;
  /** View hashes that differed from the server's. Must stay 0. */
  readonly viewMismatches: number;
  /** Predictions that the server corrected. */
  readonly corrections: number;
  /** Arrival of the newest snapshot minus its tick's due time. */
  readonly snapshotAgeMs: number;
  /** All WebSocket payload received. */
  readonly bytesIn: number;
  /** Position of the player's own ship on the screen (world units); null without one. */
  readonly own: { x: number; y: number } | null;
  /** Frames drawn since the page was loaded. */
  readonly frames: number;
  /** The player's own shots drawn since the page was loaded. */
  readonly shots: number;
}

declare global {
  interface Window {
    tickwire?: Automation;
  }
}

/** What the page knows beside the session. */
export interface PageState {
  room: Room | undefined;
  /** Whether it could not be joined, so that there will be no room. */
  hasFailed: boolean;
  own: { x: number; y: number } | null;
  frames: number;
  shots: number;
}

export function automationOf(page: PageState): Automation {
  const status = () => page.room?.stats;
  return {
    get state() {
      return page.room?.phase ?? (page.hasFailed ? "closed" : "connecting");
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
      return (page.room?.ownId ?? 0) % 2 ** 32;
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
      return page.own;
    },
    get frames() {
      return page.frames;
    },
    get shots() {
      return page.shots;
    },
  };
}
