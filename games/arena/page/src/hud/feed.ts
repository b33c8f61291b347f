// Lines that appear and fade: kills on the right, chat and notices at the lower left.

import { colour, hueOf } from "../draw/palette.js";
import { byId, element } from "./dom.js";

const MAX_KILLS = 5;
const KILL_MS = 6_000;
const MAX_LINES = 9;
const LINE_MS = 14_000;

export class Feed {
  readonly #kills = byId("kills", HTMLElement);
  readonly #lines = byId("chat-lines", HTMLElement);

  kill(killer: string, victim: string, killerSlot: number, victimSlot: number, isOwn: boolean): void {
    const line = element("div", isOwn ? "kill own" : "kill");
    line.append(
      element("span", "", killer || "somebody", colour(hueOf(killerSlot), 1, 76)),
      element("span", "beam", "━━✷"),
      element("span", "", victim || "somebody", colour(hueOf(victimSlot), 1, 76)),
    );
    add(this.#kills, line, MAX_KILLS, KILL_MS);
  }

  /** `slot`: of the player whose colour the name gets; -1: none. */
  chat(name: string, text: string, slot: number): void {
    const line = element("div", "line");
    // The space is outside of both elements: inside a right-to-left name it would be at the wrong end.
    line.append(element("b", "", name || "server", colour(hueOf(slot), 1, 76)), " ", element("span", "", text));
    add(this.#lines, line, MAX_LINES, LINE_MS);
  }

  notice(text: string): void {
    add(this.#lines, element("div", "line notice", text), MAX_LINES, LINE_MS * 2);
  }
}

function add(list: HTMLElement, line: HTMLElement, max: number, lifeMs: number): void {
  list.append(line);
  while (list.children.length > max) list.firstElementChild?.remove();
  setTimeout(() => line.classList.add("old"), lifeMs);
}
