// The chat input: Enter opens it and sends the line, Escape discards the line. Losing the focus keeps the line as a draft.

import { byId } from "./dom.js";

export class ChatBox {
  readonly #form = byId("chat-form", HTMLFormElement);
  readonly #input = byId("chat-input", HTMLInputElement);
  readonly #panel = byId("chat", HTMLElement);

  constructor(send: (text: string) => void) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#input.value.trim();
      if (text) send(text);
      this.#clear();
    });
    this.#input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.#clear();
    });
    this.#input.addEventListener("blur", () => this.close());
  }

  open(): void {
    this.#form.hidden = false;
    this.#panel.classList.add("open");
    this.#input.focus();
  }

  #clear(): void {
    this.#input.value = "";
    this.close();
  }

  close(): void {
    if (this.#form.hidden) return;
    this.#form.hidden = true;
    this.#panel.classList.remove("open");
    this.#input.blur();
  }
}
