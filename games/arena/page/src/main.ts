// The page: loads the wasm core, asks for a name, plays.
//
//   ?name=N&autojoin=1&room=R   joins without a click; &spectate=1 watches. Joining by the form sets this address, to reload and to share
//   #ticket=T                   signed ticket, where the server demands one; what follows the # is not sent and gets into no log
//   ?room=R#key=K               an invitation to a private room: with its key the server gives a seat

import { loadCore } from "@tickwire/client";
import { match, type MatchOptions, type Seat } from "@tickwire/client/lobby";
import { ArenaPage } from "./arena.js";
import { automationOf } from "./automation.js";
import { byId } from "./hud/dom.js";
import { JoinForm, type JoinRequest } from "./hud/join.js";
import { Lobby } from "./hud/lobby.js";

const query = new URLSearchParams(location.search);
const hash = new URLSearchParams(location.hash.slice(1));
const [ticket, key] = [hash.get("ticket") ?? "", hash.get("key") ?? ""];
const page = new ArenaPage(() => location.reload(), backToForm);
window.tickwire = automationOf(page);

const form = new JoinForm(query, (request) => {
  lobby.close();
  keepInAddress(request, "1", keyOf(request));
  join(request);
});
const lobby = new Lobby({
  join: (room) => form.submit(room),
  create: (isPrivate) => void create(isPrivate),
});
// Loads early; joining reports a failure.
loadCore().catch(() => {});
if (query.get("autojoin") === "1") join(form.request);
else {
  form.show();
  lobby.open();
}
byId("loading", HTMLElement).remove();

// The hash changes when another ticket is put into the address of an open page.
addEventListener("hashchange", () => location.reload());

/** The key of the room, if the page's address invites to it. */
function keyOf({ room }: JoinRequest): string {
  return room && room === query.get("room") ? key : "";
}

function join(request: JoinRequest): void {
  const { room } = request;
  const invitation = keyOf(request);
  if (invitation) joinBy(request, { mode: "join", room, key: invitation }, invitation);
  else void page.join({ ...request, ticket });
}

/** Makes a room, and joins it. */
async function create(isPrivate: boolean): Promise<void> {
  lobby.close();
  form.hide();
  try {
    const seat = await match({ mode: "create", private: isPrivate });
    const request = { ...form.request, room: seat.room };
    keepInAddress(request, "1", seat.key);
    joinBy(request, seat, seat.key);
  } catch (error) {
    page.refuse(error);
  }
}

function joinBy({ name, room, spectate }: JoinRequest, place: MatchOptions | Seat, key = ""): void {
  if (key) page.offerInvitation(`${location.origin}${location.pathname}?${new URLSearchParams({ room })}#${new URLSearchParams({ key })}`);
  void page.join({ name, spectate, ticket, match: place });
}

/** Shows the form again, with the last request. */
function backToForm(): void {
  keepInAddress(form.request, "", keyOf(form.request));
  // Assigning an unchanged address with a # would load nothing.
  location.reload();
}

/** Puts the request into the address, and keeps the rest of it. `autojoin`: "1", or empty for the form. `key`: of a private room. */
function keepInAddress({ name, room, spectate }: JoinRequest, autojoin: string, key = ""): void {
  const kept = new URLSearchParams(location.search);
  for (const [name_, value] of Object.entries({ name, room, spectate: spectate ? "1" : "", autojoin })) {
    if (value) kept.set(name_, value);
    else kept.delete(name_);
  }
  const secrets = new URLSearchParams(location.hash.slice(1));
  if (key) secrets.set("key", key);
  else secrets.delete("key");
  history.replaceState(null, "", `?${kept}${secrets.size > 0 ? `#${secrets}` : ""}`);
}
