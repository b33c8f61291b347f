import type { WasmClient } from "../wasm/tickwire.js";
export declare const enum ActionKind {
    None = 0,
    Open = 1,
    Send = 2,
    Close = 3
}
export declare const enum SessionEventKind {
    None = 0,
    Joined = 1,
    Chat = 2,
    Notice = 3,
    GameEvent = 4,
    GameMessage = 5,
    Prediction = 6
}
export declare const enum PageChange {
    Hidden = 0,
    Visible = 1,
    Online = 2,
    Back = 3
}
export declare const enum CoreNumber {
    /** Index in the phases of session.ts. */
    Phase = 0,
    CloseCode = 1,
    Tick = 2,
    IsPredicting = 3,
    InputNumber = 4,
    IsPressWaiting = 5,
    NewestMessage = 6,
    ActionLink = 7,
    MessageAt = 8,
    MessageLength = 9,
    EventNumber = 10,
    EventTick = 11,
    FirstText = 12,
    MaxInputBytes = 13,
    MaxCommandBytes = 14
}
export declare const enum CoreString {
    Welcome = 0,
    Trouble = 1,
    PredictionNote = 2,
    EventName = 3,
    EventText = 4,
    WantedRules = 5
}
export declare const enum CoreBytes {
    Map = 0,
    ResumeToken = 1,
    EventPayload = 2,
    Stats = 3,
    DebugCounters = 4,
    DebugWorld = 5,
    DebugCorrections = 6,
    DebugRecord = 7,
    DebugStop = 8
}
export declare const enum TakenBytes {
    Input = 0,
    Command = 1,
    Seat = 2
}
export declare const enum TakenText {
    Chat = 0,
    Ticket = 1,
    RefusedRules = 2
}
type Asked = "number" | "string" | "bytes" | "take_bytes" | "take_text" | "page_changed" | "next_action" | "next_event";
export interface CoreClient extends Omit<WasmClient, Asked> {
    number(which: CoreNumber): number;
    string(which: CoreString): string;
    bytes(which: CoreBytes): Uint8Array;
    take_bytes(which: TakenBytes, bytes: Uint8Array): void;
    take_text(which: TakenText, text: string): void;
    page_changed(change: PageChange, nowMs: number): void;
    next_action(): ActionKind;
    next_event(): SessionEventKind;
}
export {};
