// Storage of this browser. If storage is forbidden, browsers throw: then nothing is stored.

type StorageName = "localStorage" | "sessionStorage";

export function recall(key: string, storage: StorageName = "localStorage"): string | null {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

/** Stores a value. Returns whether that worked. */
export function remember(key: string, value: string, storage: StorageName = "localStorage"): boolean {
  try {
    window[storage].setItem(key, value);
    return true;
  } catch {
    return false;
  }
}
