// @tickwire/client/keys: which keys are down, for steering by WASD or the arrows, and which go down, for shots and dashes.
//
// In: key events of the page. Out: directions, presses, and the codes that are held. Whatever may hide the release of a key lets go of all
// of them: another window or tab, and the Meta key, under which macOS reports no key as released. A key never steers while somebody
// types, or with Control, Alt or Meta, which are the browser's. Knows no room.

/** Right and down, from -1 to 1, by `KeyboardEvent.code`: keys by their place, whatever the layout. */
const WAYS: Readonly<Record<string, readonly [dx: number, dy: number]>> = {
  KeyD: [1, 0],
  KeyA: [-1, 0],
  KeyS: [0, 1],
  KeyW: [0, -1],
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
};
const TYPED_IN = "input, textarea, select, [contenteditable]";
/** What Enter and Space press while it has the focus. */
const PRESSED_BY_KEY = "button, a[href], summary";

export interface KeyOptions {
  /** Called whenever the direction of WASD or the arrows changes: -1, 0 or 1 to the right, and down. */
  steer?: (dx: number, dy: number) => void;
  /** What to do when a key goes down, by its code, as in `{ Space: () => room.press({ dash: true }) }`. Not called again while it is held. */
  press?: Readonly<Record<string, () => void>>;
  /** Codes of more keys that are the page's: the browser does nothing with them. */
  also?: readonly string[];
  /** Ends it all, and lets go of everything. */
  signal?: AbortSignal;
}

/** The keys that are down. */
export interface Keys {
  /** Their codes: those of WASD and the arrows, of `press` and of `also`. */
  readonly held: ReadonlySet<string>;
  /** Lets go of all keys, as when a line of chat begins. */
  release(): void;
}

/** Follows the keys of the page. */
export function followKeys({ steer, press = {}, also = [], signal }: KeyOptions): Keys {
  const held = new Set<string>();
  const followed = new Set([...Object.keys(WAYS), ...Object.keys(press), ...also]);
  let way = "0,0";
  const update = () => {
    const along = (axis: 0 | 1) => Math.sign([...held].reduce((sum, code) => sum + (WAYS[code]?.[axis] ?? 0), 0));
    const [dx, dy] = [along(0), along(1)];
    if (`${dx},${dy}` === way) return;
    way = `${dx},${dy}`;
    steer?.(dx, dy);
  };
  const release = () => {
    held.clear();
    update();
  };
  const options = { signal: signal as AbortSignal };
  addEventListener(
    "keydown",
    (event) => {
      const { code, key } = event;
      if (key === "Meta" || key === "OS") release();
      if (event.ctrlKey || event.altKey || event.metaKey || !followed.has(code) || isForElement(event)) return;
      event.preventDefault();
      if (event.repeat) return;
      held.add(code);
      update();
      press[code]?.();
    },
    options,
  );
  addEventListener(
    "keyup",
    ({ code }) => {
      held.delete(code);
      update();
    },
    options,
  );
  addEventListener("blur", release, options);
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && release(), options);
  signal?.addEventListener("abort", release);
  return { held, release };
}

/** Whether the key is for the element that has the focus. */
function isForElement({ target, code }: KeyboardEvent): boolean {
  if (!(target instanceof Element)) return false;
  return target.closest(TYPED_IN) !== null || (/^(Space|(Numpad)?Enter)$/.test(code) && target.closest(PRESSED_BY_KEY) !== null);
}
