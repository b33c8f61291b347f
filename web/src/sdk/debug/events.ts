// What happens: events and messages of the game as they arrive.
//
// In: the room's listeners, of all names that its schema has. Out: a table, the newest first.

import type { AnyGame } from "../protocol.js";
import type { Room } from "../room.js";
import { camelCase } from "../values.js";
import { Table } from "./table.js";
import { membersOf } from "./text.js";

const MAX_KEPT = 50;

interface Happening {
  readonly tick: number;
  readonly name: string;
  readonly fields: string;
  readonly isMessage: boolean;
}

export class EventsView {
  readonly element = document.createElement("div");
  readonly #table = new Table();
  readonly #room: Room<AnyGame>;
  #kept: Happening[] = [];
  #removals: (() => void)[] = [];
  count = 0;

  constructor(room: Room<AnyGame>) {
    this.#room = room;
    this.element.append(this.#table.element);
    this.listen();
  }

  /** Listens to what the room's schema has now. */
  listen(): void {
    this.end();
    const room = this.#room;
    const { events, messages } = room.schema;
    for (const event of events) {
      const name = camelCase(event.name);
      this.#removals.push(room.on(name, (fields, { tick }) => this.#add({ tick, name, fields: membersOf(fields), isMessage: false }), { when: "known" }));
    }
    for (const message of messages) {
      const name = camelCase(message.name);
      this.#removals.push(room.onMessage(name, (fields) => this.#add({ tick: room.stats.tick, name, fields: membersOf(fields), isMessage: true })));
    }
  }

  #add(happening: Happening): void {
    this.count++;
    if (this.#kept.length === MAX_KEPT) this.#kept.pop();
    this.#kept.unshift(happening);
  }

  show(): void {
    const { events, messages } = this.#room.schema;
    const none = events.length + messages.length > 0 ? "nothing yet" : "this game has no events and no messages";
    this.#table.show([
      { style: "head", cells: [{ text: "tick" }, { text: "name" }, { text: "fields" }] },
      ...this.#kept.map(({ tick, name, fields, isMessage }) => ({
        cells: [{ text: String(tick), style: "number" }, { text: isMessage ? `✉ ${name}` : name }, { text: fields, style: "dim" }],
      })),
      ...(this.#kept.length === 0 ? [{ cells: [{ text: none, span: 3, style: "dim" }] }] : []),
    ]);
  }

  end(): void {
    for (const remove of this.#removals.splice(0)) remove();
  }
}
