// Keys and mouse: which buttons are down, and where the mouse points.

import { Button } from "../sdk/index.js";

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
  /** Where the mouse is on the page, in CSS pixels; undefined: not moved yet. */
  mouse: { x: number; y: number } | undefined;
  readonly #down = new Set<string>();

  constructor(
    canvas: HTMLElement,
    private readonly shortcuts: Record<string, () => void>,
  ) {
    addEventListener("keydown", (event) => this.#key(event));
    addEventListener("keyup", (event) => this.#down.delete(event.code));
    // Keys that are let go while another window has the focus are never heard of.
    addEventListener("blur", () => this.#down.clear());
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => {
      this.mouse = { x: event.clientX, y: event.clientY };
      if (event.button === 0) this.#down.add("Mouse");
    });
    addEventListener("pointermove", (event) => (this.mouse = { x: event.clientX, y: event.clientY }));
    addEventListener("pointerup", (event) => event.button === 0 && this.#down.delete("Mouse"));
    // A touch that the system takes for a gesture of its own is never let go of.
    addEventListener("pointercancel", () => this.#down.delete("Mouse"));
  }

  get buttons(): number {
    let buttons = this.#down.has("Mouse") ? Button.Fire : 0;
    for (const code of this.#down) buttons |= KEYS[code] ?? 0;
    return buttons;
  }

  /** Lets go of everything, e.g. when a line of chat begins. */
  release(): void {
    this.#down.clear();
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
