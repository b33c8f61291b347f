// The page: loads the wasm core, asks for a name, plays.
//
//   ?name=N&autojoin=1&room=R   joins without a click; &spectate=1 watches. Whoever joins by the form gets that address, to load again and to share
//   #ticket=T                   where the server demands one; what stands behind the # is sent to nobody and gets into no log

import { loadCore } from "../sdk/index.js";
import { ArenaPage } from "./arena.js";
import { automationOf } from "./automation.js";
import { byId } from "./hud/dom.js";
import { JoinForm, type Wish } from "./hud/join.js";

const query = new URLSearchParams(location.search);
const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket") ?? "";
const page = new ArenaPage(() => location.reload(), backToForm);
window.tickwire = automationOf(page);

const join = (wish: Wish) => void page.join({ ...wish, ticket });
const form = new JoinForm(query, (wish) => {
  keepInAddress(wish, "1");
  join(wish);
});
// Ahead of time; if it cannot be had, whoever joins is told.
loadCore().catch(() => {});
if (query.get("autojoin") === "1") join(form.wish);
else form.show();
byId("loading", HTMLElement).remove();

// Another ticket, in the address of a page that is there already.
addEventListener("hashchange", () => location.reload());

/** The form once more, with what was wished for. */
function backToForm(): void {
  keepInAddress(form.wish, "");
  // Going to an address that differs in nothing loads nothing, if it has a #.
  location.reload();
}

/** `autojoin`: "1", or empty for the form. What else the address has stays. */
function keepInAddress({ name, room, spectate }: Wish, autojoin: string): void {
  const kept = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries({ name, room, spectate: spectate ? "1" : "", autojoin })) {
    if (value) kept.set(key, value);
    else kept.delete(key);
  }
  history.replaceState(null, "", `?${kept}${location.hash}`);
}
