// What the player holds and presses, as inputs: without a browser.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { load } from "./modules.mjs";

const { Steering } = await load("steering.ts");

const [UP, FIRE] = [1, 16];
const KEEP = 0;
const RIGHT_HEADING = 1024;

/** A session that takes inputs as the SDK does: inputs of one tick first, then the one that is held. */
class Session {
  phase = "playing";
  #held = new Uint8Array();
  #once = [];

  inputBytes(payload) {
    this.#held = payload;
  }

  pressBytes(payload) {
    this.#once.push(payload);
  }

  /** The input of the next tick: its buttons and its heading. */
  tick() {
    const [buttons, low, high] = this.#once.shift() ?? this.#held;
    return { buttons, heading: low | (high << 8) };
  }

  /** Which of the next ticks fire. */
  fires(count) {
    return Array.from({ length: count }, () => (this.tick().buttons & FIRE) !== 0);
  }
}

let session, steering;
beforeEach(() => {
  session = new Session();
  steering = new Steering();
});

test("a click between two ticks fires in one input", () => {
  steering.steer(session, 0, FIRE, undefined);
  assert.deepEqual(session.fires(3), [true, false, false]);
});

test("a click seen by a tick fires only while it is held", () => {
  steering.steer(session, FIRE, FIRE, undefined);
  assert.deepEqual(session.fires(2), [true, true]);
  steering.steer(session, FIRE, 0, undefined);
  steering.steer(session, 0, 0, undefined);
  assert.deepEqual(session.fires(2), [false, false]);
});

test("a click is added to the held buttons", () => {
  steering.steer(session, UP, UP | FIRE, undefined);
  assert.deepEqual([session.tick().buttons, session.tick().buttons], [UP | FIRE, UP]);
});

test("a click without a connection never fires", () => {
  session.phase = "reconnecting";
  steering.steer(session, 0, FIRE, undefined);
  session.phase = "playing";
  assert.deepEqual(session.fires(2), [false, false]);
});

test("the ship keeps its heading without an aim, then the last aim", () => {
  const heading = (aim) => {
    steering.steer(session, 0, 0, aim);
    return session.tick().heading;
  };
  assert.equal(heading(undefined), KEEP);
  assert.equal(heading({ x: 5, y: 0 }), RIGHT_HEADING);
  assert.equal(heading(undefined), RIGHT_HEADING);
  assert.equal(heading({ x: 0, y: -0.1 }), 768);
  assert.equal(heading({ x: -3, y: -3 }), 640);
});
