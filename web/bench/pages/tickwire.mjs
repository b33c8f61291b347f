// The page of a game on Tickwire: reads every entity in every frame, as drawing would.

import { join } from "/sdk/index.js";
import { everyFrame, params } from "./frames.mjs";

const room = await join({ url: params.get("url"), resume: false });

everyFrame({
  turn: (dx, dy) => (room.input = { dx, dy }), // the SDK sends an input a tick by itself
  read: () => {
    const { walker } = room.frame();
    let sum = 0;
    for (let at = 0; at < walker.length; at++) {
      const { x, y, heading } = walker[at];
      sum += x + y + heading;
    }
    return sum;
  },
  count: () => room.frame().walker.length,
  places: () => [...room.frame().walker].sort((a, b) => a.id - b.id).map(({ x, y, heading }) => ({ x, y, heading })),
  errors: () => room.stats.protocolErrors + room.stats.viewMismatches,
});
