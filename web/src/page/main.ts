// The page: loads the wasm core and shows it. What automation may rely on stands in `window.tickwire`.

import init, { version } from "../wasm/tickwire.js";
import type { Automation } from "./automation.js";

const automation: Automation = {
  state: "connecting",
  tick: 0,
  entities: 0,
  rttMs: 0,
  playerId: 0,
  viewMismatches: 0,
  corrections: 0,
  snapshotAgeMs: 0,
  bytesIn: 0,
  own: null,
};
window.tickwire = automation;

await init();
const status = document.getElementById("status");
if (status) {
  status.textContent = `Tickwire ${version()}`;
}
