// The overlay shown while the game cannot be played: connecting, reconnecting, shot down, over.

import type { Room } from "@tickwire/client";
import { byId } from "./dom.js";

/** Without a ship for longer than this the player waits for a new one; less may be a hitch. */
const DEAD_AFTER_MS = 250;
const RESPAWN_MS = 2_000;
const CANNOT_JOIN = "Cannot join";
const SHIP_IS_KEPT = "The connection is lost. Your ship and your score are kept for a while.";

export class Overlay {
  readonly #panel = byId("overlay", HTMLElement);
  readonly #title = byId("overlay-title", HTMLElement);
  readonly #text = byId("overlay-text", HTMLElement);
  readonly #button = byId("overlay-again", HTMLButtonElement);
  readonly #bar = byId("overlay-bar", HTMLElement);
  #killer = "";
  #shipSeenAt = performance.now();
  #hasPlayed = false;
  #isOtherGame = false;
  #shown = "";

  /** `joinAgain`: after a session that ended. `backToForm`: after a session that never began. */
  constructor(joinAgain: () => void, backToForm: () => void) {
    this.#button.addEventListener("click", () => (this.#hasPlayed ? joinAgain() : backToForm()));
  }

  killedBy(name: string): void {
    this.#killer = name;
  }

  loading(): void {
    this.#show("connecting", "Loading…", "");
  }

  /** `trouble`: why there is no connection yet; can be empty. */
  connecting(trouble: string): void {
    this.#show("connecting", "Connecting…", tryingAgain(trouble));
  }

  /** Joining has failed for good. */
  refused(reason: string): void {
    this.#show("closed", CANNOT_JOIN, sentence(reason));
  }

  loadingFailed(): void {
    this.#show("closed", CANNOT_JOIN, "The game could not be loaded. Is the server there, and the network?");
  }

  /** Stays for good: neither another room nor a newer page helps. */
  otherGame(game: string): void {
    this.#isOtherGame = true;
    this.#show("other-game", "No page for this game", `This server plays «${game}»; this page is for the arena.`);
  }

  /** Call it once a frame. `hasShip`: also true for spectators, which need none. */
  update(room: Room, hasShip: boolean, now: number): void {
    if (this.#isOtherGame) return;
    const { phase, trouble } = room;
    if (phase === "playing") this.#hasPlayed = true;
    if (hasShip || phase !== "playing") {
      this.#shipSeenAt = now;
      if (hasShip) this.#killer = "";
    }
    const missingMs = now - this.#shipSeenAt;
    if (phase === "reconnecting") this.#show("reconnecting", "Reconnecting…", tryingAgain(trouble) || SHIP_IS_KEPT);
    else if (phase === "closed") {
      this.#show("closed", "Disconnected", sentence(trouble || "the server closed the connection"));
    } else if (this.#killer || missingMs > DEAD_AFTER_MS) {
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
    const isRefused = state === "connecting" && text !== "";
    this.#button.hidden = state !== "closed" && !isRefused;
    this.#button.textContent = this.#hasPlayed ? "Join again" : "Back";
  }
}

function tryingAgain(trouble: string): string {
  return trouble && `${sentence(trouble)} Trying again.`;
}

/** Makes a sentence of the server's reason. */
function sentence(reason: string): string {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}${/[.!?]$/.test(reason) ? "" : "."}`;
}
