// The harness of the browser tests: starts the server, bots and a browser, and ends each of them by its process id.
//
// Everything belongs to one attempt at a test (`t`, see attempt.mjs) and ends with it, passed or failed. Nothing here waits for time
// to pass, only for a line of output, the end of a process, or a condition in the page.
//
// Environment: TICKWIRE_SERVER_BIN, TICKWIRE_BOT_BIN (default: those in target/debug, which `cargo test` builds), TICKWIRE_TAG_BIN (a server of
// another game; default: target/debug/tag, likewise), TICKWIRE_CLI_BIN (target/debug/tickwire, likewise), TICKWIRE_TEST_EXAMPLES (the examples of tickwire-tests; default:
// target/debug/examples, likewise), TICKWIRE_LONG (all tests in Firefox too), CHROMIUM (default: /usr/bin/chromium), FIREFOX (/usr/bin/firefox-esr), VERBOSE (shows the programs' output).

import { execFileSync, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startFirefox } from "./firefox.mjs";

export { test, testInBoth } from "./attempt.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const target = resolve(root, process.env.CARGO_TARGET_DIR ?? "target");
const SERVER = process.env.TICKWIRE_SERVER_BIN ?? join(target, "debug", "tickwire-server");
const BOT = process.env.TICKWIRE_BOT_BIN ?? join(target, "debug", "tickwire-bot");
/** The server of the example tag. */
export const TAG = process.env.TICKWIRE_TAG_BIN ?? join(target, "debug", "tag");
const PUSH = process.env.TICKWIRE_PUSH_BIN ?? join(target, "debug", "push");
/** The command `tickwire`. */
export const CLI = process.env.TICKWIRE_CLI_BIN ?? join(target, "debug", "tickwire");
const EXAMPLES = process.env.TICKWIRE_TEST_EXAMPLES ?? join(target, "debug", "examples");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** The sources of the project. */
export const ROOT = root;

const START_MS = 20_000;
const STOP_MS = 5_000;

// If the test runner itself is ended, no process may stay behind.
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a program that ends with the test. Prints its output if the test fails. */
export function start(t, name, program, args, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], cwd: root, ...options });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text) => output.push(text));
  }
  running.add(child);
  const ended = new Promise((done) => {
    child.on("error", (error) => done(error));
    child.on("exit", (code, signal) => done({ code, signal }));
  }).finally(() => running.delete(child));
  t.after(async () => {
    await stop(child, ended);
    if (process.env.VERBOSE || t.passed === false) process.stderr.write(`--- ${name}\n${output.join("")}`);
  });
  return { child, ended, output };
}

/** Ends a process by SIGTERM, and after `STOP_MS` by SIGKILL. */
async function stop(child, ended) {
  if (!running.has(child)) return;
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(force);
}

/** The first match of `pattern` in the program's output. Fails if the program ends first or takes too long. */
export async function printed(name, { child, ended, output }, pattern) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${name} did not print ${pattern} within ${START_MS} ms:\n${output.join("")}`)), START_MS);
  });
  const gone = ended.then((end) => {
    throw new Error(`${name} ended before it was ready (${end.message ?? JSON.stringify(end)}):\n${output.join("")}`);
  });
  gone.catch(() => {});
  const found = (async () => {
    for (;;) {
      const match = pattern.exec(output.join(""));
      if (match) return match;
      await Promise.race([once(child.stdout, "data"), once(child.stderr, "data")]);
    }
  })();
  try {
    return await Promise.race([found, gone, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Starts a server, on free ports unless `listen` is given. `args`: more flags. `program`: a server of another game. */
export async function startServer(t, { listen = "127.0.0.1:0", args = [], program = SERVER } = {}) {
  const server = start(t, "server", program, ["--listen", listen, "--ops-listen", "127.0.0.1:0", "--world-seed", "0", ...args]);
  const [, socket, ops] = await printed("tickwire-server", server, /^tickwire ready (wss?:\/\/\S+) ops (https?:\/\/\S+)$/m);
  const page = socket.replace(/^ws/, "http").replace(/\/ws$/, "/");
  return { socket, ops, page, secure: socket.startsWith("wss"), pid: server.child.pid };
}

/**
 * A free port for a server that restarts. It is below the ports that the system gives to outgoing connections (from 32768 on), so that
 * none of these takes it meanwhile.
 */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const probe = createTcpServer();
    const isFree = await new Promise((answer) => probe.once("error", () => answer(false)).listen(port, "127.0.0.1", () => answer(true)));
    if (!isFree) continue;
    await new Promise((closed) => probe.close(closed));
    return port;
  }
}

/** Starts the server of one of examples/. */
export function startExample(t, name, args = []) {
  return startServer(t, { args, program: join(target, "debug", name) });
}

/** Starts a server of examples/tag, without computer players. */
export function startTag(t, { args = [], ...options } = {}) {
  return startServer(t, { ...options, args: ["--npcs", "0", ...args], program: TAG });
}

/** Starts a server of examples/push, without computer players. */
export function startPush(t, { args = [], ...options } = {}) {
  return startServer(t, { ...options, args: ["--npcs", "0", ...args], program: PUSH });
}

/** The input of tag: `dx` and `dy` from -1 to 1, two bits each, then `dash` and `touch`. Push has the first three. */
export function wish({ dx = 0, dy = 0, dash = 0, touch = 0 }) {
  return [(dx & 3) | ((dy & 3) << 2) | (dash << 4) | (touch << 5)];
}

/** Starts a server whose players walk about, and whose rules module is made by hand: tests/examples/walkers.rs. */
export function startWalkers(t, options) {
  return startServer(t, { ...options, program: join(EXAMPLES, "walkers") });
}

/** The rules modules of the tests, by name: `good`, and one for each thing that can be wrong (tests/examples/rules_modules.rs). */
export function rulesModules(t) {
  const folder = mkdtempSync(join(tmpdir(), "tickwire-modules-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync(join(EXAMPLES, "rules_modules"), [folder]);
  return Object.fromEntries(readdirSync(folder).map((file) => [basename(file, ".wasm"), readFileSync(join(folder, file))]));
}

/** Puts a path with a delay before a server: every byte takes `ms` longer, each way. Returns the address of its WebSocket. */
export async function startLongPath(t, { socket }, ms) {
  const { hostname, port } = new URL(socket);
  const ends = new Set();
  const proxy = createTcpServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      ends.add(from);
      from.setNoDelay(true);
      from.on("data", (bytes) => setTimeout(() => to.write(bytes), ms));
      from.on("error", () => to.destroy());
      from.on("close", () => setTimeout(() => to.destroy(), ms));
    }
  });
  await new Promise((listening) => proxy.listen(0, hostname, listening));
  t.after(() => {
    proxy.close();
    for (const end of ends) end.destroy();
  });
  return socket.replace(`:${port}/`, `:${proxy.address().port}/`);
}

const MEDIA = { ".js": "text/javascript", ".wasm": "application/wasm" };

/**
 * Serves a page with the module `script`, and the files of web/dist, from an origin of its own. `asked`: by path, what is called when it is
 * asked for; bytes that it returns are served instead of the file.
 */
export async function startSite(t, script, asked = {}) {
  const server = createServer(({ url }, answer) => {
    const other = asked[url]?.();
    if (url === "/") {
      answer.setHeader("Content-Type", "text/html");
      answer.end(`<!doctype html><link rel="icon" href="data:," /><script type="module">${script}</script>`);
      return;
    }
    answer.setHeader("Content-Type", MEDIA[extname(url)] ?? "text/plain");
    answer.end(other ?? readFileSync(join(root, "web", "dist", basename(url))));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** The state of a room at its newest tick; undefined while there is no such room. */
export async function roomState(server, room) {
  const answer = await fetch(`${server.page}rooms/${room}/state`);
  return answer.status === 200 ? answer.json() : undefined;
}

/** Calls `probe` until its result is truthy, and returns it. The test's own timeout is the limit. */
export async function until(t, probe) {
  for (;;) {
    const result = await probe();
    if (result) return result;
    t.signal.throwIfAborted();
    await new Promise((again) => setTimeout(again, 50));
  }
}

/** Starts bots that play on `server` until the test ends, or for the `--duration` in `args`. `ended` resolves to their exit code. */
export function startBots(t, server, { bots = 5, room, args = [] } = {}) {
  const flags = ["--url", server.socket, "--bots", String(bots), "--duration", "600s"];
  if (room) flags.push("--room", room);
  if (server.secure) flags.push("--insecure");
  const { child, ended } = start(t, "bots", BOT, [...flags, ...args]);
  return { pid: child.pid, ended };
}

/** Starts an X display, for a browser with windows. */
async function startDisplay(t) {
  // The server picks a free display number and writes it to file descriptor 3.
  const display = start(t, "Xvfb", "Xvfb", ["-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const [number] = await Promise.race([
    once(display.child.stdio[3], "data"),
    display.ended.then((end) => {
      throw new Error(`Xvfb did not start: ${end.message ?? JSON.stringify(end)}`);
    }),
  ]);
  return `:${String(number).trim()}`;
}

const QUIET = [
  "--no-sandbox", // as root Chromium has no sandbox
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-quic",
  "--no-first-run",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Starts the test's browser, headless. Returns a context that accepts self-signed certificates. `screen`: more of playwright's context
 * options, for Chromium.
 */
export async function launchBrowser(t, screen) {
  if (t.browser === "Firefox") return startFirefox(t);
  return (await startBrowser(t, { screen })).context;
}

/** Starts headless Chromium. Returns its context and its process id. `namespace`: the network namespace to run it in. */
export async function startBrowser(t, { namespace, screen } = {}) {
  const executablePath = namespace ? browserInside(t, namespace) : CHROMIUM;
  const launched = await chromium.launchServer({ executablePath, args: QUIET }).catch((error) => {
    // playwright's message has the exit code and what the process printed.
    if (error.message.includes("process did exit")) t.browserDiedAtStart(error);
    throw error;
  });
  t.after(() => launched.close());
  const child = launched.process();
  const stderr = [];
  child.stderr.on("data", (text) => stderr.push(text));
  let browser;
  t.watchBrowser({ child, ask: () => asked(browser), stderr: () => stderr.join("") });
  browser = await chromium.connect(launched.wsEndpoint());
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, ...screen });
  return { context, pid: child.pid };
}

/** Asks Chromium something that nobody else knows. Rejects if the connection is lost, or was never made. */
async function asked(browser) {
  const session = await browser.newBrowserCDPSession();
  await session.detach();
}

/** Writes a program that starts Chromium in a network namespace: playwright can only start a program with arguments. */
function browserInside(t, namespace) {
  const folder = mkdtempSync(join(tmpdir(), "tickwire-inside-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "chromium");
  writeFileSync(program, `#!/bin/sh\nexec ip netns exec ${namespace} ${CHROMIUM} "$@"\n`);
  chmodSync(program, 0o755);
  return program;
}

/** Suspends a process and all its descendants (renderers, network, GPU). Returns a function that resumes them. */
export function freeze(t, pid) {
  const stopped = [];
  const stop = (process_) => {
    process.kill(process_, "SIGSTOP");
    stopped.push(process_);
    for (const child of childrenOf(process_)) stop(child);
  };
  const thaw = () => {
    for (const process_ of stopped.splice(0)) resume(process_);
  };
  t.after(thaw);
  stop(pid);
  return thaw;
}

function resume(pid) {
  try {
    process.kill(pid, "SIGCONT");
  } catch (error) {
    if (error.code !== "ESRCH") throw error; // ESRCH: the process has ended since
  }
}

function childrenOf(pid) {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return processes.map(Number).filter((process_) => parentOf(process_) === pid);
}

function parentOf(pid) {
  try {
    const [, parent] = readFileSync(`/proc/${pid}/stat`, "utf8").match(/.*\) \S (\d+)/s);
    return Number(parent);
  } catch {
    return undefined; // the process has ended since
  }
}

/**
 * Starts Chromium with real windows: a tab behind another one is hidden and throttled. Headless pages are never hidden, and neither
 * is any page of a browser that playwright launched, as it emulates focus. So the browser is started here, and playwright only
 * connects to it, with its overrides off.
 */
export async function launchHeadedBrowser(t) {
  const display = await startDisplay(t);
  const profile = mkdtempSync(join(tmpdir(), "tickwire-chromium-"));
  t.after(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));
  const browser = start(
    t,
    "chromium",
    CHROMIUM,
    [
      ...QUIET,
      // /dev/shm is small in many containers, and Chromium crashes when it is full. playwright sets this flag itself where it launches.
      "--disable-dev-shm-usage",
      "--ignore-certificate-errors",
      "--no-default-browser-check",
      "--password-store=basic",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      "about:blank",
    ],
    { env: { ...process.env, DISPLAY: display } },
  );
  let connection;
  t.watchBrowser({ child: browser.child, ask: () => asked(connection), stderr: () => browser.output.join("") });
  const [, endpoint] = await printed("chromium", browser, /^DevTools listening on (ws:\S+)$/m);
  connection = await chromium.connectOverCDP(endpoint, { noDefaults: true });
  return connection.contexts()[0];
}

/** Opens a tab at `url`. `problems` collects errors of the page and its console. */
export async function openPage(context, url) {
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => {
    const isMissingList = message.location().url.endsWith("/rooms?limit=20"); // a server without a list says 404, which Chromium reports
    if (message.type() === "error" && !isMissingList) problems.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => problems.push(`page: ${error.stack ?? error}`));
  page.on("crash", () => problems.push("the page crashed"));
  await page.goto(url);
  return { page, problems };
}

/** The address of the page that joins without a click. */
export function joinUrl(server, { name, room }) {
  return `${server.page}?${new URLSearchParams({ name, autojoin: "1", room })}`;
}

/** Writes a file that exists until the test ends. */
export function fileWith(t, text) {
  const folder = mkdtempSync(join(tmpdir(), "tickwire-file-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "file");
  writeFileSync(file, text);
  return file;
}

/** Signs a ticket as a login service does (JWT, HS256). */
export function signedTicket(secret, claims) {
  const [head, body] = [{ alg: "HS256", typ: "JWT" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  return `${head}.${body}.${createHmac("sha256", secret).update(`${head}.${body}`).digest("base64url")}`;
}

/** Dispatches touches: `touchStart` and `touchMove` give the positions of all fingers (by number: x and y); other types lift them all. */
export async function fingersOn(page) {
  const session = await page.context().newCDPSession(page);
  return (type, fingers) => {
    const touchPoints = Object.entries(fingers).map(([id, [x, y]]) => ({ id: Number(id), x, y }));
    return session.send("Input.dispatchTouchEvent", { type, touchPoints });
  };
}

/** The page's `window.tickwire`. */
export const automation = (page) => page.evaluate(() => window.tickwire);

/** Waits until the page plays and has entities. */
export const playing = (page) =>
  page.waitForFunction(() => window.tickwire?.state === "playing" && window.tickwire.entities > 0, null, { timeout: START_MS });
