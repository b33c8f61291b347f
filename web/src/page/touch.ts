// Thumbs on a touch screen: the left one flies, the right one aims and shoots, each by a stick that is where it lands.
//
// In: touches of the arena, each finger followed by its pointer id. Out: buttons and a direction, as keys and mouse give them.
// Mice and pens are not heard here. The sticks are shown on a device whose pointer is coarse, or from the first touch on.

import { Button } from "../sdk/index.js";
import { byId } from "./hud/dom.js";

/** A thumb that moved less has chosen no direction, in CSS pixels. */
const REST_PX = 10;
/** A stick reaches so far; a thumb that goes farther takes it along. */
const REACH_PX = 52;
/** The sine of 22.5 degrees: eight directions of the same width. */
const OBLIQUE = 0.383;

interface Point {
  x: number;
  y: number;
}

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
    // A touch that the system takes for a gesture of its own is never let go of.
    onTouch("pointercancel", (event) => this.#each((stick) => stick.lift(event.pointerId)));
  }

  get buttons(): number {
    const fire = this.#shoot.isHeld ? Button.Fire : 0;
    const { x, y } = this.#fly.direction ?? { x: 0, y: 0 };
    return (
      fire |
      (y < -OBLIQUE ? Button.Up : 0) |
      (y > OBLIQUE ? Button.Down : 0) |
      (x < -OBLIQUE ? Button.Left : 0) |
      (x > OBLIQUE ? Button.Right : 0)
    );
  }

  /** Where the ship is to point; undefined: as before. It points where it flies while the right thumb points nowhere. */
  get aim(): Point | undefined {
    return this.#shoot.direction ?? this.#fly.direction;
  }

  /** Lets go of everything; fingers that still lie there count again when they land again. */
  release(): void {
    this.#each((stick) => stick.lift());
  }

  #each(act: (stick: Stick) => void): void {
    act(this.#fly);
    act(this.#shoot);
  }
}

/** One thumb's stick. It follows the first finger that lands, until that one is lifted. */
class Stick {
  /** Of length 1; undefined: the thumb has chosen none yet. It stays while the thumb rests. */
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
    if (distance >= REST_PX) this.direction = { x: dx / distance, y: dy / distance };
    const tow = Math.max(0, 1 - REACH_PX / Math.max(1, distance));
    this.#centre = { x: this.#centre.x + dx * tow, y: this.#centre.y + dy * tow };
    this.#draw(dx * (1 - tow), dy * (1 - tow));
  }

  /** `pointer`: only if it is this one's. */
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
