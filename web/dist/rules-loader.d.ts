import { type CoreClient } from "./core-client.js";
export declare class RulesLoader {
    #private;
    constructor(core: CoreClient, address: string, signal: AbortSignal, kinds: () => string[], update: (call: () => void) => void, now: () => number);
    /** Starts to load what the core has begun to want. Call it after every call of the core that may have changed that. */
    check(): void;
}
