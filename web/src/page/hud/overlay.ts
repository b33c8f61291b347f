// What lies over the game while it cannot be played: connecting, reconnecting, shot down, over.

import type { Phase } from "../../sdk/index.js";
import { byId } from "./dom.js";

/** Without a ship for so long, it is not a hitch: the player waits for a new one. */
const DEAD_AFTER_MS = 250;
const RESPAWN_MS = 2_000;

export class Overlay {
  readonly #panel = byId("overlay", HTMLElement);
  readonly #title = byId("overlay-title", HTMLElement);
  readonly #text = byId("overlay-text", HTMLElement);
  readonly #again = byId("overlay-again", HTMLButtonElement);
  readonly #bar = byId("overlay-bar", HTMLElement);
  #killer = "";
  #shipSeenAt = performance.now();
  #shown = "";

  constructor(again: () => void) {
    this.#again.addEventListener("click", again);
  }

  killedBy(name: string): void {
    this.#killer = name;
  }

  /** Call it once a frame. `hasShip`: or needs none, as spectators do. */
  update(phase: Phase, close: { code: number; reason: string }, hasShip: boolean, now: number): void {
    if (hasShip || phase !== "playing") {
      this.#shipSeenAt = now;
      if (hasShip) this.#killer = "";
    }
    const missingMs = now - this.#shipSeenAt;
    if (phase === "connecting") this.#show("connecting", "connecting…", "");
    else if (phase === "reconnecting") this.#show("reconnecting", "reconnecting…", "The connection is gone. You keep your ship and your score for a minute.");
    else if (phase === "closed") this.#show("closed", "Disconnected", close.reason || `The server closed the connection (${close.code}).`);
    else if (this.#killer || missingMs > DEAD_AFTER_MS) {
      this.#show("dead", this.#killer ? `Shot down by ${this.#killer}` : "Launching", "A new ship is on its way.");
      this.#bar.style.transform = `scaleX(${Math.min(1, missingMs / RESPAWN_MS)})`;
    } else this.#show("", "", "");
  }

  #show(state: string, title: string, text: string): void {
    const shown = `${state}\n${title}\n${text}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#panel.dataset["state"] = state;
    this.#panel.hidden = state === "";
    this.#title.textContent = title;
    this.#text.textContent = text;
    this.#again.hidden = state !== "closed";
  }
}
