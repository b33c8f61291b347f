// Bundles the page. The SDK stays outside of the bundle: the server that serves the page serves its own SDK at `sdk/`.
//
//   node bundle.mjs OUT_FOLDER

import { copyFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const page = dirname(fileURLToPath(import.meta.url));
const { build } = createRequire(join(page, "../../../web/package.json"))("esbuild");

/** Beside the page, wherever that is mounted. */
const sdk = {
  name: "sdk",
  setup: (bundle) => bundle.onResolve({ filter: /^@tickwire\/client(\/\w+)?$/ }, ({ path }) => ({ path: `./sdk/${path.split("/")[2] ?? "index"}.js`, external: true })),
};

/** Bundles an entry point, with all that it imports but the SDK. Returns the files that esbuild made, if it was told to write none. */
export const bundle = (entry, options) =>
  build({
    entryPoints: [join(page, "src", entry)],
    bundle: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
    plugins: [sdk],
    ...options,
  });

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = process.argv[2];
  await bundle("main.ts", { minify: true, outfile: join(out, "app.js") });
  for (const file of ["index.html", "style.css"]) copyFileSync(join(page, "src", file), join(out, file));
}
