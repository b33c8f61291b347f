// Loads the rules module that the core wants, while the game goes on.
//
// In: the core's wishes. Out: a running module, or the reason why there is none, in a sentence. Never delays anything: until it has
// answered, the player's own entity is shown as in snapshots.

import { CoreBytes, CoreString, TakenText, type CoreClient } from "./core-client.js";
import { reasonOf } from "./reason.js";
import { dropModule, startModule } from "./rules.js";

/** The largest module that the core takes. */
const MAX_MODULE_BYTES = 1 << 20;
/** A request that takes longer is given up, and made again. */
const MAX_REQUEST_MS = 20_000;
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 8_000;
/** After that many answers that are no module, the server is believed. */
const MAX_REFUSALS = 3;
/** After that many failures of an online device, such as what CORS or a policy forbids, the game goes on without a module. */
const MAX_FAILURES = 8;

export class RulesLoader {
  readonly #core: CoreClient;
  /** The address of the WebSocket, as an address of HTTP. */
  readonly #base: string;
  readonly #signal: AbortSignal;
  readonly #kinds: () => string[];
  /** `update` calls the core and emits its events; `now` is the session's clock. */
  readonly #update: (call: () => void) => void;
  readonly #now: () => number;
  /** Aborted as soon as another module is wanted. */
  #loading: AbortController | undefined;

  constructor(core: CoreClient, address: string, signal: AbortSignal, kinds: () => string[], update: (call: () => void) => void, now: () => number) {
    this.#core = core;
    this.#base = address.replace(/^ws/, "http");
    this.#signal = signal;
    this.#kinds = kinds;
    this.#update = update;
    this.#now = now;
  }

  /** Starts to load what the core has begun to want. Call it after every call of the core that may have changed that. */
  check(): void {
    const path = this.#core.string(CoreString.WantedRules);
    if (path === "") return;
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    void this.#load(new URL(path, this.#base), AbortSignal.any([loading.signal, this.#signal]));
  }

  async #load(url: URL, signal: AbortSignal): Promise<void> {
    const core = this.#core;
    const settings = { hash: core.wanted_hash(), kinds: this.#kinds(), map: core.bytes(CoreBytes.Map) };
    try {
      const bytes = await fetchModule(url, signal);
      if (signal.aborted) return;
      const problem = core.check_rules(bytes);
      if (problem) throw new Error(problem);
      const { module, kinds } = await startModule(bytes, settings);
      if (signal.aborted) {
        dropModule(module);
        return;
      }
      this.#update(() => core.give_rules(module, kinds, this.#now()));
    } catch (error) {
      if (signal.aborted) return;
      this.#update(() => core.take_text(TakenText.RefusedRules, reasonOf(error)));
    }
  }
}

/** Asks until there is an answer. Rejects if the server says that there is no such module, or if it is too large. */
async function fetchModule(url: URL, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  let pause = FIRST_PAUSE_MS;
  for (let refusals = 0, failures = 0; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(MAX_REQUEST_MS)]) });
      if (answer.ok) return await bodyOf(answer);
      refusals += 1;
      if (refusals >= MAX_REFUSALS) throw new FinalError(`the rules module cannot be fetched: the server answers ${answer.status}`);
    } catch (error) {
      // Anything else is a broken connection, which is tried again.
      if (signal.aborted || error instanceof FinalError) throw error;
      if (navigator.onLine) failures += 1;
      if (failures >= MAX_FAILURES) throw new FinalError(`the rules module cannot be fetched: ${reasonOf(error)}`);
    }
    await sleep(pause * (0.5 + Math.random() / 2), signal);
  }
}

class FinalError extends Error {}

async function bodyOf(answer: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  const reader = answer.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MAX_MODULE_BYTES) {
      void reader.cancel();
      throw new FinalError("the rules module is larger than 1 MiB");
    }
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
