// A page gets its script from one build and its core from another, as while a new version is rolled out.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { launchBrowser, openPage, startSite, testInBoth } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };

const SCRIPT = `
  import { loadCore } from "./index.js";
  window.loaded = loadCore().then(() => "loaded", (error) => error.message);
`;

const core = readFileSync(new URL("../dist/tickwire_bg.wasm", import.meta.url));

/** The core as another build names its imports. */
function otherBuild() {
  const [{ module: name }] = WebAssembly.Module.imports(new WebAssembly.Module(core));
  assert.match(name, /^[0-9a-f]{16}$/);
  const text = core.toString("latin1").replaceAll(name, "0123456789abcdef");
  return Buffer.from(text, "latin1");
}

/** A page whose first `stale` loads bring the core of another build. Returns what the page says in the end, and how often it was loaded. */
async function loadedBehind(t, stale) {
  let cores = 0;
  let pages = 0;
  const site = await startSite(t, SCRIPT, {
    "/": () => void pages++,
    "/tickwire_bg.wasm": () => (cores++ < stale ? otherBuild() : undefined),
  });
  const { page } = await openPage(await launchBrowser(t), site);
  await page.waitForFunction(() => window.loaded?.then((said) => (window.said = said)) && window.said);
  return { said: await page.evaluate(() => window.said), pages, page };
}

testInBoth("a core of another build makes the page load itself again", { ...MINUTE, differs: true }, async (t) => {
  const { said, pages, page } = await loadedBehind(t, 1);
  assert.deepEqual([said, pages], ["loaded", 2]);
  // Another time, it may do so again.
  assert.deepEqual(await page.evaluate(() => Object.keys(sessionStorage)), []);
});

testInBoth("a page that gets no fitting core says so after one reload", MINUTE, async (t) => {
  const { said, pages } = await loadedBehind(t, Infinity);
  assert.equal(pages, 2);
  assert.match(said, /the core, tickwire_bg\.wasm, cannot be loaded/);
});
