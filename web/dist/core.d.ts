/** What the core can be loaded from: the address of `tickwire_bg.wasm`, its bytes, or what a bundler makes of an import of it. */
export type CoreSource = string | URL | Uint8Array<ArrayBuffer> | WebAssembly.Module;
/**
 * Loads the wasm core, once for all sessions. `join` does so by itself, from beside the script: call this where the file is elsewhere, or
 * to have it early. Calls after a successful one change nothing.
 */
export declare function loadCore(from?: CoreSource): Promise<void>;
