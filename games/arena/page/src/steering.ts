// What the player holds and presses, as the inputs of a session.
//
// In: buttons and an aim, once a frame. Out: the input that is held from tick to tick, and an input of one tick for a shot: a click may
// be over before the next tick, and must fire all the same.

import { Button, type Point, inputOf } from "./wire.js";

/** What takes the inputs: a session. */
export interface InputTaker {
  readonly phase: string;
  inputBytes(payload: Uint8Array): void;
  pressBytes(payload: Uint8Array): void;
}

export class Steering {
  #aim: Point | undefined;

  /** `pressed`: the buttons that went down since the last frame. An undefined aim leaves the aim as it is. */
  steer(session: InputTaker, held: number, pressed: number, aim: Point | undefined): void {
    this.#aim = aim ?? this.#aim;
    // Without a connection no tick would take the shot before it is too old.
    if (pressed & Button.Fire && session.phase === "playing") session.pressBytes(inputOf(held | pressed, this.#aim));
    session.inputBytes(inputOf(held, this.#aim));
  }
}
