// Keys, mouse and touch: the buttons that are down, and the aim.
//
// In: the page's events. Out: buttons and a direction on demand, and the buttons pressed since the last frame, as a click may be
// shorter than a frame.

import { followKeys, type Keys } from "@tickwire/client/keys";
import { Touch } from "./touch.js";
import { Button } from "./wire.js";

/** By position on the keyboard, so that they form a cross on any layout. */
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
/** Bit of the left button in a mouse event's `buttons`. */
const LEFT_BUTTON = 1;

export class Controls {
  /** Position of the mouse on the page, in CSS pixels; undefined before its first move, and after a touch. */
  mouse: { x: number; y: number } | undefined;
  readonly #keys: Keys;
  /** Buttons for {@link takePressed}. */
  #pressed = 0;
  /** Whether the mouse's buttons went down on the canvas: presses elsewhere do not steer the ship. */
  #isMouseHeld = false;
  #isFiring = false;
  readonly #touch: Touch;

  constructor(canvas: HTMLElement, shortcuts: Record<string, () => void>) {
    this.#keys = followKeys({ press: shortcuts, also: Object.keys(KEYS) });
    // The mouse's release over another window is not reported either.
    addEventListener("blur", () => this.release());
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.release());
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
    // When the system takes a pen for a gesture of its own, no `pointerup` follows.
    addEventListener("pointercancel", () => this.#releaseMouse());
    // Registered last, so that the other listeners have handled each event before.
    for (const type of ["pointerdown", "pointermove", "keydown"]) addEventListener(type, () => (this.#pressed |= this.held));
  }

  /** The buttons that were down at any time since the last call. */
  takePressed(): number {
    const pressed = this.#pressed;
    this.#pressed = 0;
    return pressed;
  }

  /** The buttons that are down. */
  get held(): number {
    let buttons = this.#touch.buttons | (this.#isFiring ? Button.Fire : 0);
    for (const code of this.#keys.held) buttons |= KEYS[code] ?? 0;
    return buttons;
  }

  /** The direction of the touch sticks; undefined if they give none, so that the mouse aims. */
  get aim(): { x: number; y: number } | undefined {
    return this.#touch.aim;
  }

  /** Releases everything, e.g. when a line of chat begins. */
  release(): void {
    this.#keys.release();
    this.#pressed = 0;
    this.#releaseMouse();
    this.#touch.release();
  }

  /** With several buttons only the first press is a `pointerdown` and only the last release a `pointerup`; the others are moves. */
  #follow({ clientX, clientY, buttons }: PointerEvent): void {
    this.mouse = { x: clientX, y: clientY };
    if (buttons === 0) this.#releaseMouse();
    else this.#isFiring = this.#isMouseHeld && (buttons & LEFT_BUTTON) !== 0;
  }

  #releaseMouse(): void {
    this.#isMouseHeld = false;
    this.#isFiring = false;
  }
}
