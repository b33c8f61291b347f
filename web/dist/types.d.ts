export type Phase = "connecting" | "playing" | "reconnecting" | "closed";
/** Events of a session. */
export interface ClientEvents {
    /** The session is in the room, for the first time or again. `resumed`: as the same session as before. */
    joined: {
        resumed: boolean;
    };
    phase: {
        phase: Phase;
        closeCode: number;
        closeReason: string;
    };
    chat: {
        session: number;
        name: string;
        text: string;
    };
    /** An announcement of the server's operator. */
    notice: {
        text: string;
    };
    /**
     * An event of the game, which happened in `tick`. It is delivered as soon as it is known; the screen reaches its tick a little later
     * (`Frame.tick`). `kind`: one of the schema's names; `payload`: in the game's own encoding.
     */
    event: {
        kind: string;
        tick: number;
        payload: Uint8Array;
    };
    /** Prediction has begun, has ended, or cannot begin; `note` says why, for people. */
    prediction: {
        isPredicting: boolean;
        note: string;
    };
    /** A message of the game to this player, in the game's own encoding. Messages arrive in order and once each. */
    message: {
        payload: Uint8Array;
    };
}
/** How many errors there were, and how many beyond a bound. */
export interface Errors {
    count: number;
    beyond: number;
}
/** Measurements of a session. */
export interface Status {
    phase: Phase;
    tick: number;
    entities: number;
    rttMs: number;
    jitterMs: number;
    /** How early the newest input reached the server. */
    inputMarginTicks: number;
    /** How far the screen is behind the quickest arrival. */
    interpolationDelayMs: number;
    /** Arrival of the newest snapshot minus its tick's due time. */
    snapshotAgeMs: number;
    snapshotGapMs: number;
    /** Inputs predicted. */
    predictedInputs: number;
    /** Snapshots that were compared with a prediction made from the same knowledge. */
    comparedPredictions: number;
    /** Those of them that differed from the prediction. */
    corrections: number;
    /** View hashes that differed from the server's. Must stay 0. */
    viewMismatches: number;
    protocolErrors: number;
    bytesIn: number;
    bytesOut: number;
}
