// The page of hill: keys become inputs, and every frame draws the rows of the room.

import { join } from "/sdk/index.js";
import { followKeys } from "/sdk/keys.js";

const line = document.querySelector("#line");
const board = document.querySelector("#board");
const say = (text) => (line.textContent = text);
const HELP = "WASD or arrows move, Space pushes: be alone on the hill";

// ?room=R&name=N in the address.
const { room: roomName, name } = Object.fromEntries(new URLSearchParams(location.search));
const room = await join({ room: roomName, name, timeoutMs: Infinity, onTrouble: say });
window.room = room; // for the browser's console
say(HELP);
room.onPhase(({ phase, reason }) => say(phase === "playing" ? HELP : reason || phase));

followKeys({
  steer: (dx, dy) => (room.input = { dx, dy }),
  press: { Space: () => room.press({ push: true }) },
});

// From here on: drawing.
const canvas = document.querySelector("canvas");
const pen = canvas.getContext("2d");
const FIELD = 720;

function circle({ x, y }, radius, fill) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fillStyle = fill;
  pen.fill();
}

function draw() {
  const { body: bodies } = room.frame();
  pen.setTransform(1, 0, 0, 1, (canvas.width - FIELD) / 2, 0);
  pen.fillStyle = "#1d232d";
  pen.fillRect(0, 0, FIELD, FIELD);
  circle({ x: FIELD / 2, y: FIELD / 2 }, 100, "#3b3a24");
  pen.font = "16px system-ui";
  pen.textAlign = "center";
  for (const body of bodies) {
    // A push is a ring that shrinks until the next one is possible.
    circle(body, 16 + body.rest, "#5db4ff44");
    circle(body, 16, body === room.me ? "#ffffff" : "#5db4ff");
    pen.fillText(body.name, body.x, body.y - 24);
  }
  board.textContent = [...bodies]
    .sort((a, b) => b.points - a.points)
    .map(({ name, points }) => `${name} ${points}`)
    .join("\n");
  requestAnimationFrame(draw);
}
draw();
