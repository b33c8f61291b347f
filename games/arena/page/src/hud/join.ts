// The join form. The name is kept in this browser.

import { recall, remember } from "../memory.js";
import { byId } from "./dom.js";

const STORAGE_KEY = "tickwire.name";

export interface JoinRequest {
  name: string;
  room: string;
  spectate: boolean;
}

export class JoinForm {
  readonly #form = byId("join", HTMLFormElement);
  readonly #name = byId("join-name", HTMLInputElement);
  readonly #room = byId("join-room", HTMLInputElement);
  readonly #spectate = byId("join-spectate", HTMLInputElement);

  constructor(query: URLSearchParams, join: (request: JoinRequest) => void) {
    this.#name.value = query.get("name") ?? recall(STORAGE_KEY) ?? "";
    this.#room.value = query.get("room") ?? "";
    this.#spectate.checked = query.get("spectate") === "1";
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.hide();
      join(this.request);
    });
  }

  /** Joins this room, as if it were chosen in the form. */
  submit(room: string): void {
    this.#room.value = room;
    this.#form.requestSubmit();
  }

  get request(): JoinRequest {
    const name = this.#name.value.trim();
    remember(STORAGE_KEY, name);
    return { name, room: this.#room.value.trim(), spectate: this.#spectate.checked };
  }

  hide(): void {
    this.#form.hidden = true;
  }

  show(): void {
    this.#form.hidden = false;
    this.#name.focus();
    this.#name.select();
  }
}
