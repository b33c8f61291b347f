// One sample: starts a server and a browser, lets the page play, and measures it twice: first rates and processor time, then, as the
// profiler has its own cost, garbage and bytes.

import { createServer } from "node:http";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { chromium } from "playwright-core";
import { ENTITIES, TICK_RATE, move } from "./paths.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const START_MS = 20_000;
/** Bytes between two samples of the heap profiler, on average. */
const SAMPLING_BYTES = 256;
/** How far from its path an entity may be drawn, in units: two ticks of the quickest. */
const TOLERANCE = 6;
/** Of /proc/PID/stat, in a second. */
const CLOCK_TICKS = 100;

/** The table's rows. */
export const MEASURES = [
  { key: "frames", title: "frames shown a second", digits: 1 },
  { key: "messages", title: "messages received a second", digits: 1 },
  { key: "received", title: "kB received a second", digits: 2 },
  { key: "main", title: "page's main thread, ms of processor time a second", digits: 1 },
  { key: "script", title: "of it in script, ms", digits: 1 },
  { key: "chromium", title: "all processes of Chromium, ms a second", digits: 0 },
  { key: "server", title: "server, ms a second", digits: 1 },
  { key: "sdkGarbage", title: "garbage of the SDK, kB a minute", digits: 0 },
  { key: "allGarbage", title: "garbage of the whole page, kB a minute", digits: 0 },
];

/** Measures a variant. `sdk`: the text of /colyseus-sdk.js. Returns a figure for each measure, and the browser's version. */
export async function sample({ script, sdk: sdkFile, serve, query }, { sdk, warmup, seconds }) {
  const t = new Scope();
  try {
    const site = await startSite(t, { script, sdk });
    const server = await serve?.(t, site);
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
    t.after(() => browser.close());
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    const problems = [];
    page.on("pageerror", (error) => problems.push(error.stack));
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
    await page.goto(`${site}/?${new URLSearchParams({ ...query, ...(server && { url: server.url }) })}`);
    const entities = server ? ENTITIES : 0;
    await page.waitForFunction((count) => window.bench?.now().count === count, entities, { timeout: START_MS }).catch((error) => {
      throw new Error(`${script} does not play: ${[...problems, error.message].join("\n")}`);
    });
    const devtools = await page.context().newCDPSession(page);
    const system = await browser.newBrowserCDPSession();
    await wait(1000 * warmup);
    if (server) checkPaths(await page.evaluate(() => window.bench.places()));

    // The thread's own time: what other processes take of the processor does not count.
    await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
    const times = async () => {
      const { metrics } = await devtools.send("Performance.getMetrics");
      const metric = (wanted) => metrics.find(({ name }) => name === wanted).value;
      const { processInfo } = await system.send("SystemInfo.getProcessInfo");
      return {
        ...(await page.evaluate(() => window.bench.now())),
        main: metric("TaskDuration"),
        script: metric("ScriptDuration"),
        chromium: processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0),
        server: server && cpuSeconds(server.pid),
      };
    };
    const first = await times();
    await wait(1000 * seconds);
    const second = await times();
    await devtools.send("Performance.disable");
    const elapsed = (second.at - first.at) / 1000;
    const rate = (key) => (second[key] - first[key]) / elapsed;

    let [messages, bytes] = [0, 0];
    devtools.on("Network.webSocketFrameReceived", ({ response: { payloadData } }) => {
      messages++;
      bytes += Buffer.byteLength(payloadData, "base64");
    });
    const counts = async () => ({ ...(await page.evaluate(() => window.bench.now())), messages, bytes });
    await devtools.send("Network.enable");
    await devtools.send("HeapProfiler.enable");
    await devtools.send("HeapProfiler.startSampling", { samplingInterval: SAMPLING_BYTES, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true });
    const third = await counts();
    await wait(1000 * seconds);
    const last = await counts();
    const { profile } = await devtools.send("HeapProfiler.stopSampling");
    const profiled = (last.at - third.at) / 1000;
    if (last.errors > 0 || last.count !== entities || problems.length > 0) throw new Error(`${script}: ${last.errors} errors, ${last.count} entities; ${problems.join("\n")}`);
    const garbage = bytesOf(profile, sdkFile);
    const perMinute = (found) => (found / 1000 / profiled) * 60;
    return {
      browser: browser.version(),
      figures: {
        frames: rate("frames"),
        messages: server && (last.messages - third.messages) / profiled,
        received: server && (last.bytes - third.bytes) / 1000 / profiled,
        main: 1000 * rate("main"),
        script: 1000 * rate("script"),
        chromium: 1000 * rate("chromium"),
        server: server && 1000 * rate("server"),
        sdkGarbage: server && perMinute(garbage.sdk),
        allGarbage: perMinute(garbage.all),
      },
    };
  } finally {
    await t.end();
  }
}

/** What a sample starts ends with it: as much of a test as the harness needs. */
class Scope {
  #endings = [];
  passed = true;

  after(action) {
    this.#endings.push(action);
  }

  async end() {
    for (const action of this.#endings.reverse()) await action();
  }
}

/** Serves a page with a module of pages/, the SDK of Tickwire under /sdk, and that of Colyseus. */
async function startSite(t, { script, sdk }) {
  const type = { html: "text/html", mjs: "text/javascript", js: "text/javascript", wasm: "application/wasm" };
  const read = (path) => readFileSync(new URL(path, import.meta.url));
  const server = createServer(({ url }, answer) => {
    const { pathname } = new URL(url, "http://site");
    const [, folder, name] = /^\/(?:(\w+)\/)?([\w.-]+)$/.exec(pathname) ?? [];
    answer.setHeader("Content-Type", type[name?.split(".").at(-1) ?? "html"] ?? "text/plain");
    if (pathname === "/") answer.end(`<!doctype html><link rel="icon" href="data:," /><script type="module" src="/pages/${script}"></script>`);
    else if (name === "colyseus-sdk.js") answer.end(sdk);
    else answer.end(read(folder === "sdk" ? `../dist/${name}` : `pages/${name}`));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** Checks that all entities are where they are at one tick. Frames are drawn between ticks, so a little beside. */
function checkPaths(places) {
  const at = { x: 0, y: 0, heading: 0 };
  const distance = (n, tick) => {
    move(at, n, tick);
    return Math.hypot(at.x - places[n].x, at.y - places[n].y);
  };
  for (let tick = 0; tick < 600 * TICK_RATE; tick++) {
    if (places.every((_, n) => distance(n, tick) < TOLERANCE)) return;
  }
  throw new Error(`the entities are not on their paths: the first is at ${JSON.stringify(places[0])}`);
}

/** Processor time of a process, all threads, user and system. */
function cpuSeconds(pid) {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /s, "").split(" ").slice(11, 13);
  return (Number(user) + Number(system)) / CLOCK_TICKS;
}

/** Bytes that were allocated: by the SDK's script and what the browser does for it, and by all. */
function bytesOf({ head }, sdkFile) {
  const found = { sdk: 0, all: 0 };
  const visit = ({ callFrame: { url }, selfSize, children }, isCallerSdk) => {
    const isSdk = url === "" ? isCallerSdk : sdkFile !== undefined && url.endsWith(sdkFile);
    found.all += selfSize;
    if (isSdk) found.sdk += selfSize;
    for (const child of children) visit(child, isSdk);
  };
  visit(head, false);
  return found;
}
