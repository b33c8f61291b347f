// Listeners by the name of what they listen to.

export type Remove = () => void;

export class Listeners<Name, Arguments extends unknown[]> {
  readonly #byName = new Map<Name, Set<(...given: Arguments) => void>>();

  /** Calls `listener` from now on. Returns a function that removes it. */
  add(name: Name, listener: (...given: Arguments) => void): Remove {
    if (typeof listener !== "function") throw new TypeError("a listener must be a function");
    let listeners = this.#byName.get(name);
    if (!listeners) this.#byName.set(name, (listeners = new Set()));
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  has(name: Name): boolean {
    return (this.#byName.get(name)?.size ?? 0) > 0;
  }

  /** Calls the listeners. If one throws, the error is reported, and the others are called all the same. */
  call(name: Name, ...given: Arguments): void {
    const listeners = this.#byName.get(name);
    if (!listeners) return;
    for (const listener of listeners) {
      try {
        listener(...given);
      } catch (error) {
        // Node has no reportError.
        (globalThis.reportError ?? console.error)(error);
      }
    }
  }
}
