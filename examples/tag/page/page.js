// The page of tag: keys become inputs, and every frame draws the rows of the room.

import { join } from "/sdk/index.js";
import { followKeys } from "/sdk/keys.js";

const line = document.querySelector("#line");
const board = document.querySelector("#board");
const say = (text) => (line.textContent = text);
const HELP = "WASD or arrows run, Space dashes, Enter touches";

// ?room=R&name=N in the address.
const { room: roomName, name } = Object.fromEntries(new URLSearchParams(location.search));
const room = await join({ room: roomName, name, timeoutMs: Infinity, onTrouble: say });
window.room = room; // for the browser's console
say(HELP);
room.onPhase(({ phase, reason }) => say(phase === "playing" ? HELP : reason || phase));
room.onMessage("youAreIt", () => say("You are it: touch somebody!"));
room.on("touched", ({ who }) => who !== room.player.number && say(`${room.frame().score.find(({ player }) => player === who)?.name} is it`));

followKeys({
  steer: (dx, dy) => (room.input = { dx, dy }),
  press: { Space: () => room.press({ dash: true }), Enter: () => room.press({ touch: true }) },
});

// From here on: drawing.
const canvas = document.querySelector("canvas");
const pen = canvas.getContext("2d");
const FIELD = 2048;

function draw() {
  const { runner: runners, score: scores } = room.frame();
  // The camera follows the player.
  const eye = room.me ?? { x: FIELD / 2, y: FIELD / 2 };
  pen.resetTransform();
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.translate(canvas.width / 2 - eye.x, canvas.height / 2 - eye.y);
  pen.strokeStyle = "#2a313d";
  for (let at = 0; at <= FIELD; at += 128) {
    pen.strokeRect(at, 0, 0, FIELD);
    pen.strokeRect(0, at, FIELD, 0);
  }
  for (const runner of runners) {
    pen.beginPath();
    pen.arc(runner.x, runner.y, 20, 0, 7);
    pen.fillStyle = runner.it ? "#ff5d5d" : "#5db4ff";
    pen.fill();
    if (runner === room.me) {
      // A full arc: the breath for the next dash is there.
      pen.beginPath();
      pen.arc(runner.x, runner.y, 26, 0, 2 * Math.PI * (1 - runner.breath / 90));
      pen.strokeStyle = "#ffffff";
      pen.stroke();
    }
  }
  board.textContent = [...scores]
    .sort((a, b) => b.touches - a.touches)
    .map((score) => `${score.name} ${score.touches}`)
    .join("\n");
  requestAnimationFrame(draw);
}
draw();
