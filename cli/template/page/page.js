// The page: keys become inputs, and every frame draws the rows of the room.

import { join } from "/sdk/index.js";
import { followKeys } from "/sdk/keys.js";

const line = document.querySelector("#line");
const say = (text) => (line.textContent = text);
const HELP = "WASD or arrows walk";

// ?room=R&name=N in the address.
const { room: roomName, name } = Object.fromEntries(new URLSearchParams(location.search));
const room = await join({ room: roomName, name, timeoutMs: Infinity, onTrouble: say });
window.room = room; // for the browser's console
say(HELP);
room.onPhase(({ phase, reason }) => say(phase === "playing" ? HELP : reason || phase));
// A server that does not know the player was built anew, and its page with it.
room.onJoined(({ resumed }) => resumed || location.reload());

followKeys({ steer: (dx, dy) => (room.input = { dx, dy }) });

const canvas = document.querySelector("canvas");
const pen = canvas.getContext("2d");
pen.font = "14px system-ui";
pen.textAlign = "center";

function draw() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  for (const walker of room.frame().walker) {
    pen.fillStyle = walker === room.me ? "#ffffff" : "#5db4ff";
    pen.beginPath();
    pen.arc(walker.x, walker.y, 16, 0, 7);
    pen.fill();
    pen.fillText(walker.name, walker.x, walker.y - 22);
  }
  requestAnimationFrame(draw);
}
draw();
