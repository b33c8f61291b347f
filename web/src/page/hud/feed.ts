// Lines that come and fade: kills on the right, chat and notices at the lower left.

import { colour, hueOf } from "../draw/palette.js";
import { byId, element } from "./dom.js";

const KILLS = 5;
const KILL_MS = 6_000;
const LINES = 9;
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
    add(this.#kills, line, KILLS, KILL_MS);
  }

  /** `slot`: whose colour; -1: nobody's. */
  chat(name: string, text: string, slot: number): void {
    const line = element("div", "line");
    // The space is neither's: in a name from right to left it would be at the wrong end.
    line.append(element("b", "", name || "server", colour(hueOf(slot), 1, 76)), " ", element("span", "", text));
    add(this.#lines, line, LINES, LINE_MS);
  }

  notice(text: string): void {
    add(this.#lines, element("div", "line notice", text), LINES, LINE_MS * 2);
  }
}

function add(list: HTMLElement, line: HTMLElement, most: number, lifeMs: number): void {
  list.append(line);
  while (list.children.length > most) list.firstElementChild?.remove();
  setTimeout(() => line.classList.add("old"), lifeMs);
}
