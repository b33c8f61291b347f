// The line to type in: Enter opens it and sends it, Escape gives it up. Whoever leaves it otherwise finds it again as it was.

import { byId } from "./dom.js";

export class ChatBox {
  readonly #form = byId("chat-form", HTMLFormElement);
  readonly #input = byId("chat-input", HTMLInputElement);
  readonly #panel = byId("chat", HTMLElement);

  constructor(say: (text: string) => void) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#input.value.trim();
      if (text) say(text);
      this.#empty();
    });
    this.#input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.#empty();
    });
    this.#input.addEventListener("blur", () => this.close());
  }

  open(): void {
    this.#form.hidden = false;
    this.#panel.classList.add("open");
    this.#input.focus();
  }

  #empty(): void {
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
