import type { GameTypes } from "./protocol.js";
import type { Room } from "./room.js";
export interface DebugOverlayOptions {
    /** The keys that open and hide the overlay: a `KeyboardEvent.code`, or several. Default: `["Backquote", "F8"]`. */
    key?: string | readonly string[] | undefined;
    /** Whether it is open at first. Default: false. */
    open?: boolean | undefined;
    /** Where it is put into the page. Default: the body. Of a page that goes full screen: an element inside of that. */
    parent?: Element | undefined;
}
export interface DebugOverlay {
    readonly isOpen: boolean;
    /** Opens or hides it, as its key does. Hidden it costs nothing per frame, and what is emulated goes on. */
    toggle(isOpen?: boolean): void;
    /** Removes it, with its listeners and its emulated line. */
    close(): void;
}
/**
 * Puts a debug overlay over the page: the net graph, rows, areas of interest, events, corrections, and sliders for a worse line. A room has
 * one overlay: another call replaces it. Throws a TypeError where there is no document.
 */
export declare function debugOverlay<G extends GameTypes>(room: Room<G>, options?: DebugOverlayOptions): DebugOverlay;
