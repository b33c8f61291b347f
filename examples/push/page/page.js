// The page of push: keys become inputs, and every frame draws the rows of the room.

import { join } from "/sdk/index.js";
import { followKeys } from "/sdk/keys.js";

const line = document.querySelector("#line");
const board = document.querySelector("#board");
const say = (text) => (line.textContent = text);
const HELP = "WASD or arrows move, Space shoves: stand alone on the hill";

// ?room=R&name=N in the address; with &debug the overlay shows what the net and the prediction do.
const { room: roomName, name, debug } = Object.fromEntries(new URLSearchParams(location.search));
const room = await join({ room: roomName, name, timeoutMs: Infinity, onTrouble: say });
window.room = room; // for the browser's console
say(HELP);
if (debug !== undefined) (await import("/sdk/debug.js")).debugOverlay(room, { open: true });
room.onPhase(({ phase, reason }) => say(phase === "playing" ? HELP : reason || phase));

followKeys({
  steer: (dx, dy) => (room.input = { dx, dy }),
  press: { Space: () => room.press({ shove: true }) },
});

// From here on: drawing.
const canvas = document.querySelector("canvas");
const pen = canvas.getContext("2d");
const FIELD = 1024;
const scale = canvas.height / FIELD;

function circle({ x, y }, radius, fill) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fillStyle = fill;
  pen.fill();
}

function draw() {
  const { body: bodies, score: scores } = room.frame();
  pen.setTransform(scale, 0, 0, scale, (canvas.width - FIELD * scale) / 2, 0);
  pen.fillStyle = "#1d232d";
  pen.fillRect(0, 0, FIELD, FIELD);
  circle({ x: FIELD / 2, y: FIELD / 2 }, 120, "#3b3a24");
  for (const body of bodies) {
    circle(body, 20, body === room.me ? "#ffffff" : "#5db4ff");
    // Fast bodies have a bow wave.
    circle({ x: body.x + 2 * body.vx, y: body.y + 2 * body.vy }, 8, "#14181f");
  }
  board.textContent = [...scores]
    .sort((a, b) => b.seconds - a.seconds)
    .map((score) => `${score.name} ${score.seconds} s`)
    .join("\n");
  requestAnimationFrame(draw);
}
draw();
