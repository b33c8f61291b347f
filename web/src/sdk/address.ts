// Addresses of a server: its WebSocket, and what it answers beside that.

import { shown } from "./values.js";

const PROTOCOLS = new Set(["ws:", "wss:"]);

/** The address in the form that every browser accepts. An invalid one is refused here: the core would retry it forever. */
export function checkedAddress(given: string): string {
  let url: URL | undefined;
  try {
    url = new URL(given, given.startsWith("/") ? pageAddress() : undefined);
    url.protocol = url.protocol.replace(/^http/, "ws");
    url.hash = "";
  } catch {
    // Handled below, like a wrong protocol.
  }
  if (!url || !PROTOCOLS.has(url.protocol)) throw new TypeError(`${shown(given)} is no address like wss://game.example/ws`);
  return url.href;
}

/** `ws` beside the page, over TLS if the page is. */
export function addressBesidePage(room: string): string {
  const page = pageAddress();
  if (page === undefined) throw new TypeError("there is no page here: give the url of the server");
  const url = new URL("ws", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = room ? `?room=${encodeURIComponent(room)}` : "";
  url.hash = "";
  return url.href;
}

/** The address of the page, or of the worker's script. */
function pageAddress(): string | undefined {
  return globalThis.document?.baseURI ?? globalThis.location?.href;
}
