// The score board: the best players, and the player's own line.

import { OWN_COLOUR, colour, hueOf } from "../draw/palette.js";
import type { Player } from "../world.js";
import { byId, element } from "./dom.js";

const MAX_LINES = 8;

export class Board {
  readonly #body = byId("board-rows", HTMLElement);
  readonly #count = byId("board-count", HTMLElement);
  #shown = "";

  show(players: Player[], ownSlot: number | undefined): void {
    const ownPlace = players.findIndex((player) => player.slot === ownSlot);
    const places = players.slice(0, MAX_LINES).map((player, place) => ({ player, place }));
    const own = players[ownPlace];
    if (own && ownPlace >= MAX_LINES) places[MAX_LINES - 1] = { player: own, place: ownPlace };
    const text = JSON.stringify([places, players.length, ownSlot]);
    if (text === this.#shown) return;
    this.#shown = text;
    this.#count.textContent = players.length === 1 ? "1 player" : `${players.length} players`;
    this.#body.replaceChildren(...places.map(({ player, place }) => line(player, place, player.slot === ownSlot)));
  }
}

function line(player: Player, place: number, isOwn: boolean): HTMLElement {
  const row = element("div", isOwn ? "row own" : "row");
  const name = element("span", "name", player.name, isOwn ? OWN_COLOUR : colour(hueOf(player.slot), 1, 76));
  if (player.session === 0) name.append(element("span", "npc", "npc"));
  row.append(
    element("span", "place", String(place + 1)),
    name,
    element("span", "number", String(player.score)),
    element("span", "number dim", `${player.kills}/${player.deaths}`),
  );
  return row;
}
