// Finds the page's elements by id, and creates new ones. Players' texts are never set as HTML.

export function byId<Element extends HTMLElement>(id: string, type: new () => Element): Element {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return element;
}

/** Makes a button of the HUD act like a key. It does not keep the focus: keys belong to the game. */
export function onTap(id: string, act: () => void): void {
  const button = byId(id, HTMLButtonElement);
  button.addEventListener("click", () => {
    button.blur();
    act();
  });
}

export function element(tag: "div" | "span" | "li" | "b", className: string, text = "", colour = ""): HTMLElement {
  const created = document.createElement(tag);
  created.className = className;
  created.textContent = text;
  if (colour) created.style.color = colour;
  return created;
}
