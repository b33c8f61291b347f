export type Phase = "connecting" | "playing" | "reconnecting" | "closed";
/** How many errors there were, and how many beyond a bound. */
export interface Errors {
    count: number;
    beyond: number;
}
/** Measurements of a session. */
export interface Stats {
    phase: Phase;
    tick: number;
    /** Entities in view. */
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
