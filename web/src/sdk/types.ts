// The words of the SDK: plain values that an app reads.

export type Phase = "connecting" | "playing" | "reconnecting" | "closed";

/** What happens in a session besides the world. */
export interface ClientEvents {
  /** The session has a place in the room (again). */
  joined: { resumed: boolean };
  phase: { phase: Phase; closeCode: number; closeReason: string };
  chat: { session: number; name: string; text: string };
  /** A word from the operator. */
  notice: { text: string };
  kill: { killer: string; victim: string; killerSlot: number; victimSlot: number };
}

/** How well a session does. */
export interface Status {
  phase: Phase;
  tick: number;
  entities: number;
  rttMs: number;
  jitterMs: number;
  marginTicks: number;
  interpolationDelayMs: number;
  snapshotAgeMs: number;
  snapshotGapMs: number;
  corrections: number;
  viewMismatches: number;
  protocolErrors: number;
  bytesIn: number;
  bytesOut: number;
}

/** One line of the score board. */
export interface PlayerRow {
  slot: number;
  name: string;
  score: number;
  kills: number;
  deaths: number;
  /** The session's number; 0: a computer player. */
  session: number;
}
