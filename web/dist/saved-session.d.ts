export declare class SavedSession {
    #private;
    /** `key`: what makes a player: the server's address, the room, and the name. */
    constructor(key: string);
    /** Takes the session of the page before; undefined if there is none, or if another page uses it. */
    take(): Promise<{
        token: Uint8Array;
        message: number;
    } | undefined>;
    /** Keeps the session that the page is in. */
    keep(token: Uint8Array, message: number): void;
    /** The page goes away, perhaps into the back-forward cache, where it must hold no lock. */
    letGo(): void;
    /** The page is back from the back-forward cache. */
    holdAgain(): void;
    /** Forgets the session: it is over. */
    forget(): void;
}
