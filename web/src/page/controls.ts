// Keys, mouse and touch: which buttons are down, and what is pointed at.
//
// In: the page's events. Out: buttons and a direction, whenever somebody asks; and what was pressed since the last time, as a
// click may be shorter than a frame.

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
/** What a button of the page that has the focus takes for itself. */
const PRESSES = new Set(["Enter", "NumpadEnter", "Space"]);
/** The left one, of a mouse event's `buttons`. */
const LEFT = 1;

export class Controls {
  /** Where the mouse is on the page, in CSS pixels; undefined: not moved yet, or not since a touch. */
  mouse: { x: number; y: number } | undefined;
  readonly #down = new Set<string>();
  /** See {@link takePressed}. */
  #pressed = 0;
  /** Whether the mouse's buttons went down on the canvas: those that went down elsewhere are not the ship's. */
  #isMouseHeld = false;
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
      this.#isMouseHeld = true;
      this.#follow(event);
    });
    addEventListener("pointermove", (event) => event.pointerType !== "touch" && this.#follow(event));
    addEventListener("pointerup", (event) => event.pointerType !== "touch" && this.#follow(event));
    // A pen that the system takes for a gesture of its own is never let go of.
    addEventListener("pointercancel", () => this.#letMouseGo());
    // The last to hear of each: what it put down is noted.
    for (const type of ["pointerdown", "pointermove", "keydown"]) addEventListener(type, () => (this.#pressed |= this.held));
  }

  /** The buttons that were down at some time since this was asked last. */
  takePressed(): number {
    const pressed = this.#pressed;
    this.#pressed = 0;
    return pressed;
  }

  /** The buttons that are down. */
  get held(): number {
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
    this.#pressed = 0;
    this.#isMouseHeld = false;
    this.#touch.release();
  }

  /** Of several buttons only the first comes as `pointerdown` and only the last as `pointerup`; the others come as moves. */
  #follow({ clientX, clientY, buttons }: PointerEvent): void {
    this.mouse = { x: clientX, y: clientY };
    if (buttons === 0) this.#letMouseGo();
    else if (this.#isMouseHeld && buttons & LEFT) this.#down.add("Mouse");
    else this.#down.delete("Mouse");
  }

  #letMouseGo(): void {
    this.#isMouseHeld = false;
    this.#down.delete("Mouse");
  }

  #key(event: KeyboardEvent): void {
    if (isForElement(event) || event.ctrlKey || event.metaKey || event.altKey) return;
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

/** Whether the element that has the focus takes the key: a line every one, a button those that press it. */
function isForElement({ target, code }: KeyboardEvent): boolean {
  return target instanceof HTMLInputElement || (target instanceof HTMLButtonElement && PRESSES.has(code));
}
