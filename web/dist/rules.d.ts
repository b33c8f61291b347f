/** What a module is started with. */
export interface RulesSettings {
    /** The hash that it must give for its rules. */
    hash: bigint;
    /** The names of the schema's kinds. */
    kinds: readonly string[];
    map: Uint8Array;
}
/** The memory that `advance` finds its words in. */
export declare function useCoreMemory(memory: WebAssembly.Memory): void;
/**
 * Compiles and starts a module, which the core must have checked before. Returns its number, and for each kind of the schema the
 * module's own number (-1: none) and its reach, as bytes. Rejects with an Error whose message is a sentence for people.
 */
export declare function startModule(bytes: Uint8Array<ArrayBuffer>, { hash, kinds, map }: RulesSettings): Promise<{
    module: number;
    kinds: Uint8Array;
}>;
/** Called by the core: moves the row in the words at `address` of its memory by one tick. False: the module has trapped. */
export declare function advance(number: number, address: number, wordCount: number, kind: number, tick: number, lanes: number, privateLanes: number, nearbyWords: number, input: number, inputBytes: number): boolean;
/** Called by the core: writes why a module has trapped to an address of its memory. Returns how many bytes that took. */
export declare function writeFailure(number: number, address: number, room: number): number;
/** Called by the core: forgets a module. */
export declare function dropModule(number: number): void;
