// Keys, mouse and touch: which buttons are down, and what is pointed at.

import { Button } from "../sdk/index.js";
import { Touch } from "./touch.js";

/** By place on the keyboard, so that they form a cross on any layout. */
const KEYS: Record<string, number> = {
  KeyW: Button.Up,
  ArrowUp: Button.Up,
  KeyS: Button.Down,
  ArrowDown: Button.Down,
  KeyA: Button.Left,
  ArrowLeft: Button.Left,
  KeyD: Button.Right,
  ArrowRight: Button.Right,
  Space: Button.Fire,
};

export class Controls {
  /** Where the mouse is on the page, in CSS pixels; undefined: not moved yet, or not since a touch. */
  mouse: { x: number; y: number } | undefined;
  readonly #down = new Set<string>();
  readonly #touch: Touch;

  constructor(
    canvas: HTMLElement,
    private readonly shortcuts: Record<string, () => void>,
  ) {
    addEventListener("keydown", (event) => this.#key(event));
    addEventListener("keyup", (event) => this.#down.delete(event.code));
    // Keys that are let go while another window has the focus are never heard of.
    addEventListener("blur", () => this.release());
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    this.#touch = new Touch(canvas);
    canvas.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") {
        this.mouse = undefined;
        return;
      }
      this.mouse = { x: event.clientX, y: event.clientY };
      if (event.button === 0) this.#down.add("Mouse");
    });
    addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.mouse = { x: event.clientX, y: event.clientY };
    });
    addEventListener("pointerup", (event) => event.button === 0 && this.#down.delete("Mouse"));
    // A pen that the system takes for a gesture of its own is never let go of.
    addEventListener("pointercancel", () => this.#down.delete("Mouse"));
  }

  get buttons(): number {
    let buttons = this.#touch.buttons | (this.#down.has("Mouse") ? Button.Fire : 0);
    for (const code of this.#down) buttons |= KEYS[code] ?? 0;
    return buttons;
  }

  /** The direction that thumbs give; undefined: none, so that the mouse points if there is one. */
  get aim(): { x: number; y: number } | undefined {
    return this.#touch.aim;
  }

  /** Lets go of everything, e.g. when a line of chat begins. */
  release(): void {
    this.#down.clear();
    this.#touch.release();
  }

  #key(event: KeyboardEvent): void {
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.code in KEYS) {
      this.#down.add(event.code);
      event.preventDefault();
      return;
    }
    const shortcut = this.shortcuts[event.code];
    if (shortcut && !event.repeat) {
      event.preventDefault();
      shortcut();
    }
  }
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLButtonElement;
}
