// The page: loads the wasm core, asks for a name, plays.
//
//   ?name=N&autojoin=1&room=R   joins without a click; &spectate=1 watches

import { loadCore } from "../sdk/index.js";
import { ArenaPage } from "./arena.js";
import { automationOf } from "./automation.js";
import { JoinForm } from "./hud/join.js";

const query = new URLSearchParams(location.search);
const page = new ArenaPage(() => location.reload(), backToForm);
window.tickwire = automationOf(page);

const form = new JoinForm(query, (wish) => void page.join(wish));
// Ahead of time; if it cannot be had, whoever joins is told.
loadCore().catch(() => {});
if (query.get("autojoin") === "1") void page.join(form.wish);
else form.show();

/** The form once more, with what was wished for. */
function backToForm(): void {
  const { name, room, spectate } = form.wish;
  location.search = `?${new URLSearchParams({ name, room, ...(spectate && { spectate: "1" }) })}`;
}
