// What this browser remembers. One that is told to remember nothing throws instead; then nothing is remembered.

type Where = "localStorage" | "sessionStorage";

export function recall(key: string, where: Where = "localStorage"): string | null {
  try {
    return window[where].getItem(key);
  } catch {
    return null;
  }
}

/** Returns whether it will be remembered. */
export function remember(key: string, value: string, where: Where = "localStorage"): boolean {
  try {
    window[where].setItem(key, value);
    return true;
  } catch {
    return false;
  }
}
