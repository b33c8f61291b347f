export declare class Emitter<Events extends object> {
    #private;
    /** Calls `listener` with every event of this name. Returns a function that removes it. If it throws, the error is reported to the page, and the other listeners are called all the same. */
    on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
    protected emit<Name extends keyof Events>(name: Name, event: Events[Name]): void;
}
