// Modules of the page for tests in Node, without a browser.

import { bundle } from "../bundle.mjs";

/** Compiles and imports a module of `src`, such as "effects.ts". */
export async function load(module) {
  const { outputFiles } = await bundle(module, { write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
