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
  /**
   * Something of the game happened in `tick`. It comes as soon as it is known; the screen gets there a little later
   * (`Frame.tick`). `kind`: one of the schema's names; `payload`: the game's own encoding.
   */
  event: { kind: string; tick: number; payload: Uint8Array };
  /** A word of the game to this player: in order, and each once. In the game's own encoding. */
  message: { payload: Uint8Array };
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
