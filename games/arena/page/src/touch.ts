// Touch controls: the left thumb flies, the right one aims and shoots, each with a stick that appears where the thumb lands.
//
// In: touches of the arena, tracked by pointer id. Out: buttons and a direction, like those of keys and mouse. Ignores mice and pens.
// The sticks are shown on devices with a coarse pointer, or from the first touch on.

import { byId } from "./hud/dom.js";
import { Button, type Point } from "./wire.js";

/** Movements below this choose no direction, in CSS pixels. */
const DEAD_ZONE_PX = 10;
/** Radius of a stick. A thumb that moves farther drags the stick along. */
const REACH_PX = 52;
/** The sine of 22.5 degrees: it makes eight directions of equal width. */
const DIAGONAL = 0.383;

export class Touch {
  readonly #fly = new Stick("stick-fly");
  readonly #shoot = new Stick("stick-shoot");

  constructor(canvas: HTMLElement) {
    if (matchMedia("(pointer: coarse)").matches) show();
    const onTouch = (type: "pointerdown" | "pointermove" | "pointerup" | "pointercancel", act: (event: PointerEvent) => void) =>
      canvas.addEventListener(type, (event) => event.pointerType === "touch" && act(event));
    onTouch("pointerdown", (event) => {
      show();
      (event.clientX < innerWidth / 2 ? this.#fly : this.#shoot).land(event);
    });
    onTouch("pointermove", (event) => this.#each((stick) => stick.move(event)));
    onTouch("pointerup", (event) => this.#each((stick) => stick.lift(event.pointerId)));
    // When the system takes a touch for a gesture of its own, no `pointerup` follows.
    onTouch("pointercancel", (event) => this.#each((stick) => stick.lift(event.pointerId)));
  }

  get buttons(): number {
    const fire = this.#shoot.isHeld ? Button.Fire : 0;
    const { x, y } = this.#fly.direction ?? { x: 0, y: 0 };
    return (
      fire |
      (y < -DIAGONAL ? Button.Up : 0) |
      (y > DIAGONAL ? Button.Down : 0) |
      (x < -DIAGONAL ? Button.Left : 0) |
      (x > DIAGONAL ? Button.Right : 0)
    );
  }

  /** The direction to point the ship at: the right stick's, else the left one's; undefined keeps it. */
  get aim(): Point | undefined {
    return this.#shoot.direction ?? this.#fly.direction;
  }

  /** Releases both sticks. Fingers still on the screen count again only after they were lifted. */
  release(): void {
    this.#each((stick) => stick.lift());
  }

  #each(act: (stick: Stick) => void): void {
    act(this.#fly);
    act(this.#shoot);
  }
}

/** One stick. It follows the first finger that lands until that finger is lifted. */
class Stick {
  /** Unit vector; undefined before the thumb has chosen a direction. Kept while the thumb rests. */
  direction: Point | undefined;
  readonly #ring: HTMLElement;
  #pointer: number | undefined;
  #centre: Point = { x: 0, y: 0 };

  constructor(id: string) {
    this.#ring = byId(id, HTMLElement);
  }

  get isHeld(): boolean {
    return this.#pointer !== undefined;
  }

  land({ pointerId, clientX: x, clientY: y }: PointerEvent): void {
    if (this.isHeld) return;
    this.#pointer = pointerId;
    this.#centre = { x, y };
    this.#draw(0, 0);
  }

  move({ pointerId, clientX, clientY }: PointerEvent): void {
    if (pointerId !== this.#pointer) return;
    const [dx, dy] = [clientX - this.#centre.x, clientY - this.#centre.y];
    const distance = Math.hypot(dx, dy);
    if (distance >= DEAD_ZONE_PX) this.direction = { x: dx / distance, y: dy / distance };
    const tow = Math.max(0, 1 - REACH_PX / Math.max(1, distance));
    this.#centre = { x: this.#centre.x + dx * tow, y: this.#centre.y + dy * tow };
    this.#draw(dx * (1 - tow), dy * (1 - tow));
  }

  /** Lifts the stick, if `pointer` is the finger that it follows. */
  lift(pointer = this.#pointer): void {
    if (pointer !== this.#pointer) return;
    this.#pointer = this.direction = undefined;
    this.#ring.classList.remove("held");
    this.#ring.removeAttribute("style");
  }

  #draw(dx: number, dy: number): void {
    this.#ring.classList.add("held");
    this.#ring.style.translate = `calc(${this.#centre.x}px - 50%) calc(${this.#centre.y}px - 50%)`;
    this.#ring.style.setProperty("--knob", `${dx}px ${dy}px`);
  }
}

function show(): void {
  document.documentElement.classList.add("touch");
}
