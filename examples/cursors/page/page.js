// The page of cursors: tells where the mouse is, and shows where everybody's is. All plain elements, no canvas.

import { join } from "/sdk/index.js";

const [sheet, button, form, input, feed, alert] = ["main", "button", "form", "input", "#feed", "#alert"].map((one) => document.querySelector(one));
const say = (text) => (alert.textContent = text);

// ?room=R&name=N in the address.
const { room: roomName, name } = Object.fromEntries(new URLSearchParams(location.search));
const room = await join({ room: roomName, name, timeoutMs: Infinity, onTrouble: say });
window.room = room; // for the browser's console
say("");
room.onPhase(({ phase, reason }) => say(phase === "playing" ? "" : reason || phase));
room.onNotice(({ text }) => say(text));

// The sheet has 1600 by 900 units, however large the window is.
const [WIDTH, HEIGHT] = [1600, 900];
const within = (value, most) => Math.round(Math.min(Math.max(value, 1), most));
addEventListener("pointermove", ({ clientX, clientY }) => {
  room.input = { x: within((clientX / innerWidth) * WIDTH, WIDTH), y: within((clientY / innerHeight) * HEIGHT, HEIGHT) };
});
button.addEventListener("click", () => room.command("add", { amount: 1 }));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (input.value) room.chat(input.value);
  input.value = "";
});

const elements = new Map();
function draw() {
  const { cursor: cursors, counter: counters, line: lines } = room.frame();
  const gone = new Set(elements.keys());
  for (const { id, x, y, player, name, isOwn } of cursors) {
    if (isOwn) continue; // one's own mouse is there already
    gone.delete(id);
    if (!elements.has(id)) elements.set(id, sheet.appendChild(document.createElement("div")));
    const element = elements.get(id);
    element.textContent = name;
    element.style.borderColor = `hsl(${(player * 137) % 360} 70% 50%)`;
    element.style.translate = `${(x / WIDTH) * innerWidth}px ${(y / HEIGHT) * innerHeight}px`;
  }
  for (const id of gone) {
    elements.get(id).remove();
    elements.delete(id);
  }
  button.textContent = counters[0]?.count;
  feed.textContent = [...lines]
    .sort((a, b) => b.number - a.number)
    .map(({ text }) => text)
    .join("\n");
  requestAnimationFrame(draw);
}
draw();
