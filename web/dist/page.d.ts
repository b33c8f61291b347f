export interface PageListener {
    hidden(): void;
    /** Also called when the page may have been visible all along. */
    visible(): void;
    /** The network may have changed. */
    online(): void;
    /** The page goes away. It may come back from the back-forward cache. */
    away(): void;
    back(): void;
}
/** Passes on the events until `signal` is aborted. */
export declare function listenToPage(listener: PageListener, signal: AbortSignal): void;
