// The page: loads the wasm core, asks for a name, plays.
//
//   ?name=N&autojoin=1&room=R   joins without a click; &spectate=1 watches. Joining by the form sets this address, to reload and to share
//   #ticket=T                   signed ticket, where the server demands one; what follows the # is not sent and gets into no log

import { loadCore } from "@tickwire/client";
import { ArenaPage } from "./arena.js";
import { automationOf } from "./automation.js";
import { byId } from "./hud/dom.js";
import { JoinForm, type JoinRequest } from "./hud/join.js";

const query = new URLSearchParams(location.search);
const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket") ?? "";
const page = new ArenaPage(() => location.reload(), backToForm);
window.tickwire = automationOf(page);

const join = (request: JoinRequest) => void page.join({ ...request, ticket });
const form = new JoinForm(query, (request) => {
  keepInAddress(request, "1");
  join(request);
});
// Loads early; joining reports a failure.
loadCore().catch(() => {});
if (query.get("autojoin") === "1") join(form.request);
else form.show();
byId("loading", HTMLElement).remove();

// The hash changes when another ticket is put into the address of an open page.
addEventListener("hashchange", () => location.reload());

/** Shows the form again, with the last request. */
function backToForm(): void {
  keepInAddress(form.request, "");
  // Assigning an unchanged address with a # would load nothing.
  location.reload();
}

/** Puts the request into the address, and keeps the rest of it. `autojoin`: "1", or empty for the form. */
function keepInAddress({ name, room, spectate }: JoinRequest, autojoin: string): void {
  const kept = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries({ name, room, spectate: spectate ? "1" : "", autojoin })) {
    if (value) kept.set(key, value);
    else kept.delete(key);
  }
  history.replaceState(null, "", `?${kept}${location.hash}`);
}
