// The hook of @tickwire/client/react, with React as pages have it: strict mode mounts everything twice.

import assert from "node:assert/strict";
import { build } from "esbuild";
import { launchBrowser, openPage, roomState, startSite, startTag, testInBoth, until } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };
const web = new URL("..", import.meta.url).pathname;

const PAGE = `
  import { createElement, StrictMode } from "react";
  import { createRoot } from "react-dom/client";
  import { useRoom } from "@tickwire/client/react";

  function Game({ options }) {
    const state = useRoom(null, options);
    window.state = state;
    window.renders = (window.renders ?? 0) + 1;
    return createElement("p", null, state.phase);
  }
  const root = createRoot(document.body.appendChild(document.createElement("main")));
  window.show = (options) => root.render(createElement(StrictMode, null, createElement(Game, { options })));
  window.unmount = () => root.unmount();
  window.isReady = true;
`;

/** The page with React in it; the SDK stays outside, as the site serves it. */
async function bundled() {
  const sdk = {
    name: "sdk",
    setup(bundle) {
      bundle.onResolve({ filter: /^@tickwire\/client$/ }, () => ({ path: "./index.js", external: true }));
      bundle.onResolve({ filter: /^@tickwire\/client\/react$/ }, () => ({ path: `${web}dist/react.js` }));
    },
  };
  const stdin = { contents: PAGE, resolveDir: web };
  const define = { "process.env.NODE_ENV": '"development"' };
  const { outputFiles } = await build({ stdin, define, bundle: true, format: "esm", target: "es2022", write: false, logLevel: "error", plugins: [sdk] });
  // Inside of a page, nothing in the script may end the script.
  return outputFiles[0].text.replaceAll("</script", "<\\/script");
}

const runners = async (server) => (await roomState(server, "meadow"))?.entities.filter(({ kind }) => kind === "runner").length ?? 0;

testInBoth("the hook joins once, says what is the matter, and leaves", MINUTE, async (t) => {
  const site = await startSite(t, await bundled());
  const server = await startTag(t, { args: ["--allowed-origin", site] });
  const { page, problems } = await openPage(await launchBrowser(t), site);
  await page.waitForFunction(() => window.isReady);
  const show = (options) => page.evaluate((options) => window.show(options), options);
  const plays = (name) => page.waitForFunction((name) => window.state.room?.player.name === name && document.querySelector("p").textContent === "playing", name);

  await show({ url: server.socket, room: "meadow", name: "Ann" });
  await plays("Ann");
  // Strict mode has mounted it twice. The first time has left again.
  await until(t, async () => (await runners(server)) === 1);

  // A frame renders nothing.
  const renders = await page.evaluate(async () => {
    const before = window.renders;
    const { tick } = window.state.room.stats;
    while (window.state.room.stats.tick < tick + 60) {
      window.state.room.frame();
      await new Promise((done) => requestAnimationFrame(done));
    }
    return window.renders - before;
  });
  assert.equal(renders, 0);

  // Other options are another player; the same ones are the same.
  await show({ url: server.socket, room: "meadow", name: "Ben" });
  await plays("Ben");
  await until(t, async () => (await runners(server)) === 1);
  const kept = await page.evaluate(async (options) => {
    const { room } = window.state;
    window.show(options);
    await new Promise((done) => setTimeout(done, 100));
    return window.state.room === room;
  }, { url: server.socket, room: "meadow", name: "Ben" });
  assert.equal(kept, true);

  // Nobody is there.
  await show({ url: "ws://127.0.0.1:1/ws", room: "meadow", name: "Ben" });
  await page.waitForFunction(() => window.state.room === undefined && window.state.trouble.includes("cannot be reached"));
  await until(t, async () => (await runners(server)) === 0);

  await show({ url: server.socket, room: "meadow", name: "Cid" });
  await plays("Cid");
  await page.evaluate(() => window.unmount());
  await until(t, async () => (await runners(server)) === 0);
  // The browser itself says that the closed port is closed.
  assert.deepEqual(problems.filter((problem) => !problem.includes("127.0.0.1:1")), []);
});
