export type Remove = () => void;
export declare class Listeners<Name, Arguments extends unknown[]> {
    #private;
    /** Calls `listener` from now on. Returns a function that removes it. */
    add(name: Name, listener: (...given: Arguments) => void): Remove;
    has(name: Name): boolean;
    /** Calls the listeners. If one throws, the error is reported, and the others are called all the same. */
    call(name: Name, ...given: Arguments): void;
}
