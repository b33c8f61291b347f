// Where a beam ends: at the first rock or ship, or at the end of its range.
//
// In: rocks, and the ships where the screen shows them. Out: the end, for drawing: the server judges the hit.

import type { Point, Rock } from "./wire.js";

const RANGE = 600;
const SHIP_RADIUS = 16;

export interface BeamEnd extends Point {
  hitsShip: boolean;
}

/** Casts a beam. `ships` must not have the shooter. `heading`: in radians. */
export function castBeam(from: Point, heading: number, rocks: Iterable<Rock>, ships: Iterable<Point>): BeamEnd {
  const direction = { x: Math.cos(heading), y: Math.sin(heading) };
  let length = RANGE;
  for (const rock of rocks) length = Math.min(length, distanceTo(from, direction, rock, rock.radius));
  let hitsShip = false;
  for (const ship of ships) {
    const distance = distanceTo(from, direction, ship, SHIP_RADIUS);
    if (distance >= length) continue;
    length = distance;
    hitsShip = true;
  }
  return { x: from.x + direction.x * length, y: from.y + direction.y * length, hitsShip };
}

/** The distance at which a ray enters a circle: 0 if it starts inside, infinite if it misses. */
function distanceTo(from: Point, direction: Point, centre: Point, radius: number): number {
  const [x, y] = [centre.x - from.x, centre.y - from.y];
  const squared = x * x + y * y;
  if (squared <= radius * radius) return 0;
  const along = x * direction.x + y * direction.y;
  const halfChordSquared = radius * radius - (squared - along * along);
  return along > 0 && halfChordSquared >= 0 ? along - Math.sqrt(halfChordSquared) : Infinity;
}
