// Listeners by the name of what they listen to.

export type Remove = () => void;

export class Listeners<Name, First, Second = void> {
  readonly #byName = new Map<Name, Set<(first: First, second: Second) => void>>();

  /** Calls `listener` from now on. Returns a function that removes it. */
  add(name: Name, listener: (first: First, second: Second) => void): Remove {
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
  call(name: Name, first: First, second: Second): void {
    const listeners = this.#byName.get(name);
    if (!listeners || listeners.size === 0) return;
    for (const listener of listeners) {
      try {
        listener(first, second);
      } catch (error) {
        // Node has no reportError.
        (globalThis.reportError ?? console.error)(error);
      }
    }
  }
}
