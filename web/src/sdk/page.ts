// What happens to a page, told to its session: hidden, frozen, restored, gone, online again.
//
// In: events of the document and the window, where there are any. Out: calls of the session. In workers and in Node only `online` may
// come.

export interface PageListener {
  hidden(): void;
  /** Also called when the page may have been visible all along. */
  visible(): void;
  /** The network may have changed. */
  online(): void;
  /** The page goes away. It may come back from the back-forward cache. */
  away(): void;
  back(): void;
}

/** Passes on the events until `signal` is aborted. */
export function listenToPage(listener: PageListener, signal: AbortSignal): void {
  if (typeof addEventListener !== "function") return;
  addEventListener("online", () => listener.online(), { signal });
  if (typeof document === "undefined") return;
  const update = () => {
    if (document.visibilityState === "hidden") listener.hidden();
    else listener.visible();
  };
  addEventListener("visibilitychange", update, { signal });
  // Some pages get the focus back without a change of visibility.
  addEventListener("focus", update, { signal });
  document.addEventListener("freeze", () => listener.hidden(), { signal });
  document.addEventListener(
    "resume",
    () => {
      update();
      listener.online();
    },
    { signal },
  );
  addEventListener("pagehide", () => listener.away(), { signal });
  addEventListener(
    "pageshow",
    ({ persisted }) => {
      if (!persisted) return;
      listener.back();
      update();
    },
    { signal },
  );
  update();
}
