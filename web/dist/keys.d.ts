export interface KeyOptions {
    /** Called whenever the direction of WASD or the arrows changes: -1, 0 or 1 to the right, and down. */
    steer?: (dx: number, dy: number) => void;
    /** What to do when a key goes down, by its code, as in `{ Space: () => room.press({ dash: true }) }`. Not called again while it is held. */
    press?: Readonly<Record<string, () => void>>;
    /** Codes of more keys that are the page's: the browser does nothing with them. */
    also?: readonly string[];
    /** Ends it all, and lets go of everything. */
    signal?: AbortSignal;
}
/** The keys that are down. */
export interface Keys {
    /** Their codes: those of WASD and the arrows, of `press` and of `also`. */
    readonly held: ReadonlySet<string>;
    /** Lets go of all keys, as when a line of chat begins. */
    release(): void;
}
/** Follows the keys of the page. */
export declare function followKeys({ steer, press, also, signal }: KeyOptions): Keys;
