export type Remove = () => void;
export declare class Listeners<Name, First, Second = void> {
    #private;
    /** Calls `listener` from now on. Returns a function that removes it. */
    add(name: Name, listener: (first: First, second: Second) => void): Remove;
    has(name: Name): boolean;
    /** Calls the listeners. If one throws, the error is reported, and the others are called all the same. */
    call(name: Name, first: First, second: Second): void;
}
