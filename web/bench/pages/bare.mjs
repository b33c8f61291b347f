// The control: a page that only counts frames.

import { everyFrame } from "./frames.mjs";

everyFrame({ turn() {}, read: () => 0, count: () => 0, places: () => [], errors: () => 0 });
