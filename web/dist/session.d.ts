import { CoreMemory } from "./core.js";
import { type CoreClient } from "./core-client.js";
import type { SavedSession } from "./saved-session.js";
import { Sockets } from "./sockets.js";
import type { Phase } from "./types.js";
export interface SessionListener {
    joined(resumed: boolean): void;
    phase(phase: Phase): void;
    chat(chat: {
        session: number;
        name: string;
        text: string;
    }): void;
    notice(notice: {
        text: string;
    }): void;
    event(kind: number, tick: number, payload: Uint8Array): void;
    message(payload: Uint8Array): void;
    prediction(prediction: {
        isPredicting: boolean;
        note: string;
    }): void;
    /** After every call of the core and its events. */
    updated(): void;
}
export interface SessionSettings {
    address: string;
    room: string;
    name: string;
    ticket: string;
    spectate: boolean;
    /** A reserved seat. */
    reservation: Uint8Array | undefined;
    WebSocket?: typeof WebSocket | undefined;
    saved?: SavedSession | undefined;
    resume?: {
        token: Uint8Array;
        message: number;
    } | undefined;
}
export declare class Session {
    #private;
    readonly core: CoreClient;
    readonly memory: CoreMemory;
    readonly sockets: Sockets;
    phase: Phase;
    constructor(memory: WebAssembly.Memory, settings: SessionSettings, listener: SessionListener, kinds: () => string[]);
    get isOver(): boolean;
    now(): number;
    /** Runs what is due now: connecting, and the inputs of the ticks that have come. */
    poll(now?: number): void;
    /** Carries out what the core wants done, and passes on its events. Call it after every call of the core. */
    update(): void;
    /** Leaves for good. */
    leave(): void;
}
