// The page's elements by their id, and new ones. Texts of players are only ever set as text.

export function byId<Element extends HTMLElement>(id: string, type: new () => Element): Element {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return element;
}

/** A button of the HUD that does what else a key does. It keeps no focus: the keys are the game's. */
export function onTap(id: string, act: () => void): void {
  const button = byId(id, HTMLButtonElement);
  button.addEventListener("click", () => {
    button.blur();
    act();
  });
}

export function element(tag: "div" | "span" | "li" | "b", className: string, text = "", colour = ""): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  if (colour) made.style.color = colour;
  return made;
}
