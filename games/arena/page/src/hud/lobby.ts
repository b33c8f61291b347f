// The list of rooms in the join form. A server without a list (`--room-list`) answers 404: then nothing of this is shown.

import { type ListedRoom, type LobbyError, rooms } from "@tickwire/client/lobby";
import { byId, element } from "./dom.js";

const POLL_MS = 3_000;
const MAX_SHOWN = 20;

export interface LobbyActions {
  join(room: string): void;
  create(isPrivate: boolean): void;
}

export class Lobby {
  readonly #panel = byId("lobby", HTMLElement);
  readonly #actions: LobbyActions;
  readonly #list = element("div", "rooms");
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;
  #shown = "";

  constructor(actions: LobbyActions) {
    this.#actions = actions;
  }

  /** Shows the rooms, until {@link close}. */
  open(): void {
    this.#isOpen = true;
    void this.#update();
  }

  close(): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
  }

  async #update(): Promise<void> {
    try {
      this.#show((await rooms({ limit: MAX_SHOWN })).rooms);
    } catch (error) {
      if ((error as LobbyError).status === 404) return;
    }
    if (this.#isOpen) this.#timer = setTimeout(() => void this.#update(), POLL_MS);
  }

  #show(list: readonly ListedRoom[]): void {
    if (this.#panel.hidden) this.#build();
    const shown = JSON.stringify(list);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#list.replaceChildren(...(list.length > 0 ? list.map((room) => this.#entry(room)) : [element("span", "dim", "Nobody is playing yet.")]));
  }

  #build(): void {
    const create = element("div", "new-room");
    create.append(
      button("New room", () => this.#actions.create(false)),
      button("Private room", () => this.#actions.create(true)),
    );
    this.#panel.append(element("b", "", "Rooms"), this.#list, create);
    this.#panel.hidden = false;
  }

  #entry({ room, players, max, metadata }: ListedRoom): HTMLElement {
    const entry = button("", () => this.#actions.join(room));
    entry.disabled = players >= max;
    const { leader = "", score = "" } = metadata;
    entry.append(element("span", "room", room), element("span", "leader", leader && `${leader} leads with ${score}`), element("span", "players", `${players} of ${max}`));
    return entry;
  }
}

function button(text: string, act: () => void): HTMLButtonElement {
  const created = document.createElement("button");
  // Not the form's own button.
  created.type = "button";
  created.textContent = text;
  created.addEventListener("click", act);
  return created;
}
