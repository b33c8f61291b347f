// The page of a game on Colyseus: reads every entity in every frame, as drawing would. With `?smooth=1` it reads what the SDK's `Predict`
// interpolates, as `frame()` of Tickwire does; else the latest state.

import { Callbacks, Client, Predict } from "/colyseus-sdk.js";
import { everyFrame, params } from "./frames.mjs";

const room = await new Client(params.get("url")).joinOrCreate("crowd");
const walkers = [];
let errors = 0;
room.onError(() => errors++);
Callbacks.get(room).onAdd("walkers", (walker, key) => (walkers[key] = walker));
const input = room.input();

/** Two patches behind the newest. */
const DELAY_MS = 2000 / 60;
const predict = params.get("smooth") ? Predict.get(room, { mode: "lerp", delay: DELAY_MS }) : undefined;
predict?.attachAll("walkers", { fields: ["x", "y"], mode: "lerp" });
predict?.attachAll("walkers", { fields: ["heading"], mode: "lerp", angle: true });

const latest = () => {
  let sum = 0;
  for (let at = 0; at < walkers.length; at++) {
    const { x, y, heading } = walkers[at];
    sum += x + y + heading;
  }
  return sum;
};
const smooth = (now) => {
  predict.tick(now);
  let sum = 0;
  for (let at = 0; at < walkers.length; at++) {
    const walker = walkers[at];
    sum += predict.value(walker, "x") + predict.value(walker, "y") + predict.value(walker, "heading");
  }
  return sum;
};
const value = (walker, field) => (predict ? predict.value(walker, field) : walker[field]);

everyFrame({
  turn: (dx, dy) => {
    input.data.dx = dx;
    input.data.dy = dy;
  },
  read: predict ? smooth : latest,
  send: () => input.send(),
  count: () => walkers.length,
  places: () => walkers.map((walker) => ({ x: value(walker, "x"), y: value(walker, "y"), heading: value(walker, "heading") })),
  errors: () => errors,
});
