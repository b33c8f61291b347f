// The page's elements by their id, and new ones. Texts of players are only ever set as text.

export function byId<Element extends HTMLElement>(id: string, type: new () => Element): Element {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return element;
}

export function element(tag: "div" | "span" | "li" | "b", className: string, text = "", colour = ""): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  if (colour) made.style.color = colour;
  return made;
}
