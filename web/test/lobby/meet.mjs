// Players meet in rooms: what docs/GAME_GUIDE.md shows, run by lobby.test.mjs. `node meet.mjs URL` prints one line of JSON for each room.

import { join } from "../../dist/index.js";
import { match, rooms } from "../../dist/lobby.js";

const url = process.argv[2];
const say = (value) => console.log(JSON.stringify(value));

// A room with this tag and a free seat, or a new one.
const ann = await join({ url, match: { tags: { mode: "duel" }, max: 2 }, name: "Ann" });
const bob = await join({ url, match: { tags: { mode: "duel" }, max: 2 }, name: "Bob" });
say({ isSame: ann.name === bob.name, players: [ann, bob].map(({ player }) => player.name) });

const { rooms: list } = await rooms({ url, tags: { mode: "duel" } });
for (const { room, players, max, tags, metadata } of list) say({ isThis: room === ann.name, players, max, tags, metadata });

const seat = await match({ url, mode: "create", private: true });
const host = await join({ match: seat, name: "Cleo" });
// `seat.room` and `seat.key` are the invitation.
const guest = await join({ url, match: { mode: "join", room: seat.room, key: seat.key }, name: "Dan" });
say({ isSame: host.name === guest.name, isPrivate: !(await rooms({ url })).rooms.some(({ room }) => room === seat.room) });

for (const room of [ann, bob, host, guest]) room.leave();
