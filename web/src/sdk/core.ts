// The wasm core: loaded once for all sessions of a page.

import { type InitOutput, initSync } from "../wasm/tickwire.js";
import { reasonOf } from "./reason.js";
import { useCoreMemory } from "./rules.js";
import { tabStorage } from "./saved-session.js";

let core: Promise<InitOutput> | undefined;

/** In the tab's storage while the page has loaded itself again for want of a core. */
const RELOADED = "tickwire";

/** What the core can be loaded from: the address of `tickwire_bg.wasm`, its bytes, or what a bundler makes of an import of it. */
export type CoreSource = string | URL | Uint8Array<ArrayBuffer> | WebAssembly.Module;

/**
 * Loads the wasm core, once for all sessions. `join` does so by itself, from beside the script: call this where the file is elsewhere, or
 * to have it early. Calls after a successful one change nothing.
 */
export async function loadCore(from?: CoreSource): Promise<void> {
  await coreLoaded(from);
}

/** @internal */
export function coreLoaded(from?: CoreSource): Promise<InitOutput> {
  core ??= start(from).catch((error: unknown) => {
    // The next call tries again.
    core = undefined;
    throw new Error(`the core, tickwire_bg.wasm, cannot be loaded: ${reasonOf(error)}`);
  });
  return core;
}

async function start(from: CoreSource = new URL("tickwire_bg.wasm", import.meta.url)): Promise<InitOutput> {
  const module = from instanceof WebAssembly.Module ? from : await WebAssembly.compile(from instanceof Uint8Array ? from : await bytesAt(new URL(from, import.meta.url)));
  const loaded = await linked(module);
  useCoreMemory(loaded.memory);
  return loaded;
}

/**
 * A core of another build than this script does not link (`web/bindgen`). So it is while a new version is rolled out: the page loads itself
 * again, once, and gets both of one build.
 */
async function linked(module: WebAssembly.Module): Promise<InitOutput> {
  const storage = tabStorage();
  try {
    const loaded = initSync({ module });
    delete storage?.[RELOADED];
    return loaded;
  } catch (error) {
    if (!storage || RELOADED in storage) throw error;
    storage[RELOADED] = 1;
    location.reload();
    return new Promise(() => {});
  }
}

async function bytesAt(url: URL): Promise<Uint8Array<ArrayBuffer> | ArrayBuffer> {
  if (url.protocol === "file:") {
    // Node's fetch takes no such address. Not a literal, so that bundlers for browsers leave the module alone.
    const files = "node:fs/promises";
    const { readFile } = (await import(/* @vite-ignore */ files)) as { readFile(file: URL): Promise<Uint8Array<ArrayBuffer>> };
    return readFile(url);
  }
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.href} answers ${answer.status}`);
  return answer.arrayBuffer();
}

/** @internal Views of the core's memory, renewed only after it has grown. */
export class CoreMemory {
  readonly #memory: WebAssembly.Memory;
  words = new Int32Array();
  bytes = new Uint8Array() as Uint8Array<ArrayBuffer>;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  /** Call it after every call of the core, before reading. */
  renew(): void {
    const buffer = this.#memory.buffer as ArrayBuffer;
    if (this.words.buffer === buffer) return;
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
  }
}
