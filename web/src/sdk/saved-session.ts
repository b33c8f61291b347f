// The session of a tab, so that a reloaded page is the same player: a token in the tab's own storage.
//
// In: the token of each Welcome. Out: the token of the page before, if no other page uses it: a duplicated tab has a copy of the
// storage, and joins anew. Does nothing where there is no session storage: in workers and in Node.

interface Saved {
  token: string;
  /** The newest message that the page has had. */
  message: number;
}

/** For how long a reloaded page waits until the page before it has let go of the token. */
const MAX_WAIT_MS = 500;

export class SavedSession {
  readonly #key: string;
  #token = "";
  #release: (() => void) | undefined;

  /** `key`: what makes a player: the server's address, the room, and the name. */
  constructor(key: string) {
    this.#key = `tickwire ${key}`;
  }

  /** Takes the session of the page before; undefined if there is none, or if another page uses it. */
  async take(): Promise<{ token: Uint8Array; message: number } | undefined> {
    try {
      const { token, message } = JSON.parse(tabStorage()?.getItem(this.#key) ?? "null") as Saved;
      const bytes = Uint8Array.from(atob(token), (letter) => letter.charCodeAt(0));
      if (!(await this.#lock(token, MAX_WAIT_MS))) return undefined;
      this.#token = token;
      return { token: bytes, message };
    } catch {
      // There is nothing, or nothing that can be read.
      return undefined;
    }
  }

  /** Keeps the session that the page is in. */
  keep(token: Uint8Array, message: number): void {
    const text = btoa(String.fromCharCode(...token));
    if (text !== this.#token) {
      this.#token = text;
      void this.#lock(text, MAX_WAIT_MS);
    }
    this.#write({ token: text, message });
  }

  /** The page goes away, perhaps into the back-forward cache, where it must hold no lock. */
  letGo(): void {
    this.#release?.();
    this.#release = undefined;
  }

  /** The page is back from the back-forward cache. */
  holdAgain(): void {
    if (this.#token) void this.#lock(this.#token, MAX_WAIT_MS);
  }

  /** Forgets the session: it is over. */
  forget(): void {
    this.letGo();
    this.#write(undefined);
  }

  #write(saved: Saved | undefined): void {
    try {
      if (saved) tabStorage()?.setItem(this.#key, JSON.stringify(saved));
      else tabStorage()?.removeItem(this.#key);
    } catch {
      // The storage is full or forbidden: a reload joins anew.
    }
  }

  /** Whether the token is this page's now. Without locks (on pages without TLS) every page may use it. */
  async #lock(token: string, waitMs: number): Promise<boolean> {
    this.letGo();
    const locks = (globalThis.navigator as Navigator | undefined)?.locks;
    if (!locks) return true;
    const held = new Promise<void>((release) => (this.#release = release));
    return new Promise((answer) => {
      // The beginning of the token names the lock: other pages of the origin can read the names.
      locks
        .request(`${this.#key} ${token.slice(0, 8)}`, { signal: AbortSignal.timeout(waitMs) }, () => {
          answer(true);
          return held;
        })
        .catch(() => answer(false));
    });
  }
}

/** @internal The storage of this tab; `undefined` where there is none, as in Node and in workers. */
export function tabStorage(): Storage | undefined {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined; // forbidden, as in a sandboxed frame
  }
}
