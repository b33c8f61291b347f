// The page of push: keys become inputs, and every frame draws the rows of the room.

import { join } from "/sdk/index.js";

const line = document.querySelector("#line");
const board = document.querySelector("#board");
const say = (text) => (line.textContent = text);
const HELP = "WASD or arrows move, Space shoves: stand alone on the hill";

// ?room=R&name=N in the address.
const { room: roomName, name } = Object.fromEntries(new URLSearchParams(location.search));
const room = await join({ room: roomName, name, timeoutMs: Infinity, onTrouble: say });
window.room = room; // for the browser's console
say(HELP);
room.onPhase(({ phase, reason }) => say(phase === "playing" ? HELP : reason || phase));

const WAYS = { KeyD: [1, 0], KeyA: [-1, 0], KeyS: [0, 1], KeyW: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const held = new Set();
function steer() {
  const sum = (axis) => Math.sign([...held].reduce((sum, code) => sum + (WAYS[code]?.[axis] ?? 0), 0));
  room.input = { dx: sum(0), dy: sum(1) };
}
addEventListener("keydown", ({ code, repeat }) => {
  if (repeat) return;
  held.add(code);
  steer();
  if (code === "Space") room.press({ shove: true });
});
addEventListener("keyup", ({ code }) => (held.delete(code), steer()));
addEventListener("blur", () => (held.clear(), steer()));

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
