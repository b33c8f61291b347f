// A device with two network links, like a phone's wifi and mobile data: a network namespace, and two pairs of interfaces.
//
// The device has an address on each link; both links reach the server's one address. Cutting a link loses packets silently, without
// FIN or RST. Needs root and `ip`. Everything is removed after the test.

import { execFileSync } from "node:child_process";

const SERVER = "10.213.78.1";
const LINKS = {
  wifi: { address: "10.213.78.2", near: "w", far: "x" },
  mobile: { address: "10.213.78.3", near: "m", far: "n" },
};

const NAMESPACE = `tickwire${process.pid}`;

const ip = (...words) => execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });

/** Why this machine cannot emulate such a device; undefined if it can. */
export function whyNoDevice() {
  if (process.getuid() !== 0) return "network namespaces need root";
  try {
    ip("netns", "add", NAMESPACE);
    ip("netns", "delete", NAMESPACE);
    return undefined;
  } catch (error) {
    return `no network namespaces here: ${error.message}`;
  }
}

export class Device {
  /** Listen address for a server that the device can reach. */
  static listen = `${SERVER}:0`;

  constructor(t) {
    this.namespace = NAMESPACE;
    t.after(() => this.#remove());
    process.once("exit", () => this.#remove());
    ip("netns", "add", this.namespace);
    ip("-n", this.namespace, "link", "set", "lo", "up");
    for (const { address, ...ends } of Object.values(LINKS)) {
      const [near, far] = [this.#interface(ends.near), this.#interface(ends.far)];
      ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", this.namespace);
      ip("address", "add", `${SERVER}/32`, "dev", near);
      ip("link", "set", near, "up");
      ip("route", "add", `${address}/32`, "dev", near);
    }
  }

  /** Brings a link up and routes everything over it. */
  join(link) {
    const far = this.#interface(LINKS[link].far);
    ip("-n", this.namespace, "address", "add", `${LINKS[link].address}/32`, "dev", far);
    ip("-n", this.namespace, "link", "set", far, "up");
    ip("-n", this.namespace, "route", "replace", "default", "dev", far);
  }

  /** Takes a link down, with its address. */
  leave(link) {
    const far = this.#interface(LINKS[link].far);
    ip("-n", this.namespace, "link", "set", far, "down");
    ip("-n", this.namespace, "address", "flush", "dev", far);
  }

  #interface(end) {
    return `tw${process.pid}${end}`;
  }

  #remove() {
    const quietly = (...words) => {
      try {
        ip(...words);
      } catch {
        // It was never created.
      }
    };
    for (const { near } of Object.values(LINKS)) quietly("link", "delete", this.#interface(near));
    quietly("netns", "delete", this.namespace);
  }
}
