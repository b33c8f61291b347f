// A device with two links to the server, as a phone has wifi and mobile: a network namespace, and two pairs of interfaces.
//
// Each link has an address of its own at the device; the server has one, which both links reach. A link is cut without a
// word: what is on its way is lost, and nobody is told. Needs root and `ip`. All of it ends with the test.

import { execFileSync } from "node:child_process";
import { atEnd } from "./harness.mjs";

const SERVER = "10.213.78.1";
const LINKS = {
  wifi: { address: "10.213.78.2", near: "w", far: "x" },
  mobile: { address: "10.213.78.3", near: "m", far: "n" },
};

const NAMESPACE = `tickwire${process.pid}`;

const ip = (...words) => execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });

/** Why there can be no such device here; undefined if there can. */
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
  /** Where a server for it listens. */
  static listen = `${SERVER}:0`;

  constructor(t) {
    this.namespace = NAMESPACE;
    atEnd(t, () => this.#remove());
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

  /** The link is there, and everything goes over it. */
  join(link) {
    const far = this.#interface(LINKS[link].far);
    ip("-n", this.namespace, "address", "add", `${LINKS[link].address}/32`, "dev", far);
    ip("-n", this.namespace, "link", "set", far, "up");
    ip("-n", this.namespace, "route", "replace", "default", "dev", far);
  }

  /** The link is gone, and its address with it. */
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
        // What was never made need not be removed.
      }
    };
    for (const { near } of Object.values(LINKS)) quietly("link", "delete", this.#interface(near));
    quietly("netns", "delete", this.namespace);
  }
}
