// @tickwire/client/debug: an overlay that shows what the net and the prediction of a room do, and makes its line worse on demand.
//
// In: a room that is being played. Out: a panel over the page, in a shadow root of its own. Sends nothing, and changes nothing of the game;
// only its emulated line delays what is sent and received. Nothing of it is in the bundle of a page that does not import it.

import { AreaView } from "./debug/area.js";
import { CorrectionsView } from "./debug/corrections.js";
import { NetGraph } from "./debug/graph.js";
import { EventsView } from "./debug/events.js";
import { EmulatedLine } from "./debug/line.js";
import { Probe } from "./debug/probe.js";
import { RowsView } from "./debug/rows.js";
import { STYLE } from "./debug/style.js";
import type { AnyGame, GameTypes } from "./protocol.js";
import type { Room } from "./room.js";

export interface DebugOverlayOptions {
  /** The keys that open and hide the overlay: a `KeyboardEvent.code`, or several. Default: `["Backquote", "F8"]`. */
  key?: string | readonly string[] | undefined;
  /** Whether it is open at first. Default: false. */
  open?: boolean | undefined;
  /** Where it is put into the page. Default: the body. Of a page that goes full screen: an element inside of that. */
  parent?: Element | undefined;
}

export interface DebugOverlay {
  readonly isOpen: boolean;
  /** Opens or hides it, as its key does. Hidden it costs nothing per frame, and what is emulated goes on. */
  toggle(isOpen?: boolean): void;
  /** Removes it, with its listeners and its emulated line. */
  close(): void;
}

const KEYS = ["Backquote", "F8"];
/** Interval of writing text and tables. */
const TEXT_INTERVAL_MS = 200;
const STALLS_MS = [250, 1_000, 3_000];
/** Input that begins on the panel is not the game's. */
const INPUTS = ["pointerdown", "pointerup", "pointermove", "mousedown", "mouseup", "mousemove", "click", "dblclick", "contextmenu", "wheel", "touchstart", "touchmove", "touchend", "keydown", "keyup"];

const overlays = new WeakMap<object, DebugOverlay>();

/**
 * Puts a debug overlay over the page: the net graph, rows, areas of interest, events, corrections, and sliders for a worse line. A room has
 * one overlay: another call replaces it. Throws a TypeError where there is no document.
 */
export function debugOverlay<G extends GameTypes>(room: Room<G>, options: DebugOverlayOptions = {}): DebugOverlay {
  if (typeof document === "undefined") throw new TypeError("debugOverlay needs a page: there is no document here");
  if (typeof room?.inside?.session?.core?.bytes !== "function") throw new TypeError("debugOverlay needs a room of the same version of @tickwire/client");
  const { key = KEYS, open = false, parent = document.body } = options;
  overlays.get(room)?.close();
  const overlay = new Overlay(room as unknown as Room<AnyGame>, typeof key === "string" ? [key] : key, parent);
  overlays.set(room, overlay);
  overlay.toggle(open);
  return overlay;
}

class Overlay implements DebugOverlay {
  readonly #room: Room<AnyGame>;
  readonly #probe: Probe;
  readonly #line: EmulatedLine;
  readonly #host = document.createElement("tickwire-debug");
  readonly #status = document.createElement("span");
  readonly #graph = new NetGraph();
  readonly #rows = new RowsView();
  readonly #area = new AreaView();
  readonly #events: EventsView;
  readonly #corrections = new CorrectionsView();
  readonly #tabs: { readonly name: string; readonly button: HTMLButtonElement; readonly pane: HTMLElement; readonly show: () => void; readonly count?: () => number }[] = [];
  readonly #closing = new AbortController();
  readonly #removals: (() => void)[] = [];
  #tab = 0;
  #frame: number | undefined;
  #writtenAt = 0;
  #writeLine: () => void = () => {};

  constructor(room: Room<AnyGame>, keys: readonly string[], parent: Element) {
    const { session } = room.inside;
    this.#room = room;
    this.#probe = new Probe(session);
    this.#line = new EmulatedLine(session.sockets);
    this.#events = new EventsView(room);
    this.#removals.push(() => this.#events.end());
    let { schema } = room;
    this.#removals.push(
      room.onJoined(() => {
        if (room.schema !== schema) this.#events.listen();
        schema = room.schema;
      }),
    );
    this.#probe.isRecording = true;
    this.#build();
    this.#listen(keys);
    this.#host.hidden = true;
    parent.append(this.#host);
  }

  #build(): void {
    // A style element would need the page's Content-Security-Policy to allow it.
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    const panel = div("panel");
    const title = document.createElement("b");
    title.textContent = "tickwire";
    const header = document.createElement("header");
    header.append(title, this.#status, button("hide", () => this.toggle(false)));
    const tabs = div("tabs");
    tabs.role = "tablist";
    panel.append(header, this.#graph.element, this.#buildLine(), tabs);
    const add = (name: string, content: HTMLElement, show: () => void, count?: () => number) => {
      const pane = div("pane");
      pane.append(content);
      const index = this.#tabs.length;
      const tab = button(name, () => this.#pick(index));
      tab.role = "tab";
      tabs.append(tab);
      panel.append(pane);
      this.#tabs.push({ name, button: tab, pane, show, ...(count && { count }) });
    };
    const shown = () => this.#room.inside.shown;
    add("rows", this.#rows.element, () => this.#rows.show(this.#room.schema, shown()));
    add("area", this.#area.element, () => this.#area.show(this.#probe.world(), this.#room.schema, shown()));
    add(
      "events",
      this.#events.element,
      () => this.#events.show(),
      () => this.#events.count,
    );
    add(
      "corrections",
      this.#corrections.element,
      () => this.#corrections.show(this.#room.predictionNote),
      () => this.#corrections.count,
    );
    this.#pick(0);
    const root = this.#host.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [style];
    root.append(panel);
  }

  #buildLine(): HTMLElement {
    const line = this.#line;
    const controls = div("line");
    const slider = (name: string, title: string, most: number, set: (ms: number) => void) => {
      const label = document.createElement("span");
      [label.textContent, label.title] = [name, title];
      const input = document.createElement("input");
      Object.assign(input, { type: "range", min: "0", max: String(most), step: "5", value: "0", name });
      input.setAttribute("aria-label", `${name}, ${title}`);
      const output = document.createElement("output");
      const write = () => (output.textContent = `${input.value} ms`);
      write();
      input.addEventListener("input", () => {
        set(input.valueAsNumber);
        write();
      });
      // Else the arrow keys would go on to move it.
      input.addEventListener("change", () => input.blur());
      controls.append(label, input, output);
    };
    slider("+ latency", "added each way", 500, (ms) => (line.latencyMs = ms));
    slider("+ jitter", "up to so much more, by chance", 200, (ms) => (line.jitterMs = ms));
    const label = document.createElement("span");
    [label.textContent, label.title] = ["stall", "nothing passes for so long, then all at once"];
    const buttons = div("stalls");
    buttons.append(...STALLS_MS.map((ms) => button(ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`, () => line.stall(ms))));
    const left = document.createElement("output");
    this.#writeLine = () => {
      const ms = line.stalledMs;
      left.textContent = ms > 0 ? `${(ms / 1_000).toFixed(1)} s left` : "";
    };
    controls.append(label, buttons, left);
    return controls;
  }

  #listen(keys: readonly string[]): void {
    const { signal } = this.#closing;
    const toggle = (event: KeyboardEvent) => {
      if (!keys.includes(event.code) || event.ctrlKey || event.altKey || event.metaKey) return;
      // In a text a key that writes something belongs to the text.
      if (event.key.length === 1 && isText(event.composedPath()[0])) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!event.repeat) this.toggle();
    };
    // Before the page's own listeners, which should not see the key.
    addEventListener("keydown", toggle, { signal, capture: true });
    for (const name of INPUTS) this.#host.addEventListener(name, (event) => event.stopPropagation(), { signal });
  }

  #pick(index: number): void {
    this.#tab = index;
    this.#tabs.forEach(({ button, pane }, at) => {
      button.ariaSelected = String(at === index);
      pane.hidden = at !== index;
    });
    if (this.isOpen) this.#write();
  }

  get isOpen(): boolean {
    return this.#frame !== undefined;
  }

  toggle(isOpen = !this.isOpen): void {
    if (isOpen === this.isOpen || this.#closing.signal.aborted) return;
    this.#host.hidden = !isOpen;
    if (!isOpen) {
      cancelAnimationFrame(this.#frame as number);
      this.#frame = undefined;
      return;
    }
    this.#graph.clear();
    this.#writtenAt = 0;
    this.#frame = requestAnimationFrame((now) => this.#draw(now));
  }

  #draw(now: number): void {
    this.#frame = requestAnimationFrame((next) => this.#draw(next));
    const { schema } = this.#room;
    const corrections = this.#probe.takeCorrections(schema);
    if (corrections.length > 0) this.#corrections.add(corrections, schema, this.#probe.world()?.isPlaced ?? []);
    this.#graph.sample(now, this.#room, this.#probe, corrections.length);
    this.#graph.draw(now);
    if (now - this.#writtenAt < TEXT_INTERVAL_MS) return;
    this.#writtenAt = now;
    this.#write();
  }

  #write(): void {
    const room = this.#room;
    const { tick } = room.stats;
    this.#status.textContent = `${room.game} · ${room.name} · ${room.phase} · tick ${tick}${room.isPredicting ? "" : " · not predicted"}`;
    this.#graph.writeValues();
    this.#writeLine();
    for (const { name, button, count } of this.#tabs) {
      const text = count ? `${name} ${count()}` : name;
      if (button.textContent !== text) button.textContent = text;
    }
    this.#tabs[this.#tab]?.show();
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.toggle(false);
    this.#closing.abort();
    for (const remove of this.#removals) remove();
    this.#probe.isRecording = false;
    this.#line.end();
    this.#host.remove();
    overlays.delete(this.#room);
  }
}

function div(style: string): HTMLElement {
  const made = document.createElement("div");
  made.className = style;
  return made;
}

function button(text: string, pressed: () => void): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", () => {
    pressed();
    // Else the game's Space would press it again.
    made.blur();
  });
  return made;
}

function isText(target: EventTarget | undefined): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && !["range", "checkbox", "radio", "button", "color"].includes(target.type));
}
