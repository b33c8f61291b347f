// The core's session as the SDK calls it: the generated class, with names for what is asked of it.
//
// The names are those of the enums in client/src/wasm. As constants of TypeScript they take no place in the bundle, as objects of the
// generated file they would.

import type { WasmClient } from "../wasm/tickwire.js";

export const enum ActionKind {
  None,
  Open,
  Send,
  Close,
}

export const enum SessionEventKind {
  None,
  Joined,
  Chat,
  Notice,
  GameEvent,
  GameMessage,
  Prediction,
}

export const enum PageChange {
  Hidden,
  Visible,
  Online,
  Back,
}

export const enum CoreNumber {
  /** Index in the phases of session.ts. */
  Phase,
  CloseCode,
  Tick,
  IsPredicting,
  InputNumber,
  IsPressWaiting,
  NewestMessage,
  ActionLink,
  MessageAt,
  MessageLength,
  EventNumber,
  EventTick,
  FirstText,
  MaxInputBytes,
  MaxCommandBytes,
}

export const enum CoreString {
  Welcome,
  Trouble,
  PredictionNote,
  EventName,
  EventText,
  WantedRules,
}

export const enum CoreBytes {
  Map,
  ResumeToken,
  EventPayload,
  Stats,
  DebugCounters,
  DebugWorld,
  DebugCorrections,
  DebugRecord,
  DebugStop,
}

export const enum TakenBytes {
  Input,
  Command,
  Seat,
}

export const enum TakenText {
  Chat,
  Ticket,
  RefusedRules,
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
