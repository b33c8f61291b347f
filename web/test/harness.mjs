// What the browser tests stand on: starts the server, bots and Chromium, and ends each of them by its process id.
//
// Everything is tied to one test (`t`, of node's test runner) and ends with it, passed or failed. Nothing here waits for
// time to pass: it waits for a line of output, for a process to end, or for a condition in the page.
//
// Environment: TICKWIRE_SERVER_BIN, TICKWIRE_BOT_BIN (default: target/release), TICKWIRE_TAG_BIN (a server of another
// game; default: target/debug/tag, which `cargo test` builds), CHROMIUM (default: /usr/bin/chromium),
// VERBOSE (shows what the programs print).

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const target = resolve(root, process.env.CARGO_TARGET_DIR ?? "target");
const release = join(target, "release");
const SERVER = process.env.TICKWIRE_SERVER_BIN ?? join(release, "tickwire-server");
const BOT = process.env.TICKWIRE_BOT_BIN ?? join(release, "tickwire-bot");
const TAG = process.env.TICKWIRE_TAG_BIN ?? join(target, "debug", "tag");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

const START_MS = 20_000;
const STOP_MS = 5_000;

// A test runner that is itself ended must not leave processes behind.
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

const endings = new WeakMap();

/** Runs `action` when the test is over; what was started last ends first. */
export function atEnd(t, action) {
  if (!endings.has(t)) {
    endings.set(t, []);
    t.after(async () => {
      for (const ending of endings.get(t).reverse()) await ending();
    });
  }
  endings.get(t).push(action);
}

/** Starts a program that ends with the test. Its output is shown if the test fails. */
function start(t, name, program, args, options = {}) {
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
  atEnd(t, async () => {
    await stop(child, ended);
    if (process.env.VERBOSE || t.passed === false) process.stderr.write(`--- ${name}\n${output.join("")}`);
  });
  return { child, ended, output };
}

/** Ends a process politely, and after a while by force. */
async function stop(child, ended) {
  if (!running.has(child)) return;
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(force);
}

/** The first match of `pattern` in what the program prints; fails if it ends before, or takes too long. */
async function printed(name, { child, ended, output }, pattern) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${name} did not say ${pattern} in ${START_MS} ms:\n${output.join("")}`)), START_MS);
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

/** A server, on free ports unless `listen` says otherwise. `args`: more of its flags. `program`: another than the arena's. */
export async function startServer(t, { listen = "127.0.0.1:0", args = [], program = SERVER } = {}) {
  const server = start(t, "server", program, ["--listen", listen, "--ops-listen", "127.0.0.1:0", ...args]);
  const [, socket, ops] = await printed("tickwire-server", server, /^tickwire ready (wss?:\/\/\S+) ops (https?:\/\/\S+)$/m);
  const page = socket.replace(/^ws/, "http").replace(/\/ws$/, "/");
  return { socket, ops, page, secure: socket.startsWith("wss"), pid: server.child.pid };
}

/** A server of a game that is not the arena: examples/tag. */
export function startTag(t, options) {
  return startServer(t, { ...options, program: TAG });
}

const MEDIA = { ".js": "text/javascript", ".wasm": "application/wasm" };

/** An origin of its own with a page that holds `script`, a module, beside the files of web/sdk. */
export async function startSite(t, script) {
  const server = createServer(({ url }, answer) => {
    if (url === "/") {
      answer.setHeader("Content-Type", "text/html");
      answer.end(`<!doctype html><link rel="icon" href="data:," /><script type="module">${script}</script>`);
      return;
    }
    answer.setHeader("Content-Type", MEDIA[extname(url)] ?? "text/plain");
    answer.end(readFileSync(join(root, "web", "sdk", basename(url))));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** What the server says of a room at its newest tick; undefined while there is no such room. */
export async function roomState(server, room) {
  const answer = await fetch(`${server.page}rooms/${room}/state`);
  return answer.status === 200 ? answer.json() : undefined;
}

/** Asks `question` until it has an answer that is true of anything. The test's own timeout is the bound. */
export async function until(t, question) {
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    t.signal.throwIfAborted();
    await new Promise((again) => setTimeout(again, 50));
  }
}

/** Bots that play on `server` until the test ends (or for the `--duration` in `args`); `ended` gives their exit code. */
export function startBots(t, server, { bots = 5, room, args = [] } = {}) {
  const flags = ["--url", server.socket, "--bots", String(bots), "--duration", "600s"];
  if (room) flags.push("--room", room);
  if (server.secure) flags.push("--insecure");
  const { child, ended } = start(t, "bots", BOT, [...flags, ...args]);
  return { pid: child.pid, ended };
}

/** An X display of our own, for a browser with windows. */
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
  "--no-sandbox", // as root there is none
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-quic",
  "--no-first-run",
  "--disable-component-update",
  "--disable-sync",
];

/** Chromium without windows: a context that accepts our self-signed certificates. `screen`: more of playwright's options for it. */
export async function launchBrowser(t, screen) {
  return (await startBrowser(t, { screen })).context;
}

/** The same, with the process id of the browser. `namespace`: the network namespace that it is to live in. */
export async function startBrowser(t, { namespace, screen } = {}) {
  const executablePath = namespace ? browserInside(t, namespace) : CHROMIUM;
  const launched = await chromium.launchServer({ executablePath, args: QUIET });
  atEnd(t, () => launched.close());
  const browser = await chromium.connect(launched.wsEndpoint());
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, ...screen });
  return { context, pid: launched.process().pid };
}

/** A program that starts Chromium in a network namespace: playwright starts a program, and gives it the arguments. */
function browserInside(t, namespace) {
  const folder = mkdtempSync(join(tmpdir(), "tickwire-inside-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "chromium");
  writeFileSync(program, `#!/bin/sh\nexec ip netns exec ${namespace} ${CHROMIUM} "$@"\n`);
  chmodSync(program, 0o755);
  return program;
}

/** Stops a process and all that it started: main process, renderers, network, GPU. Returns what lets them go on. */
export function freeze(t, pid) {
  const stopped = [];
  const stop = (process_) => {
    process.kill(process_, "SIGSTOP");
    stopped.push(process_);
    for (const child of childrenOf(process_)) stop(child);
  };
  const thaw = () => {
    for (const process_ of stopped.splice(0)) process.kill(process_, "SIGCONT");
  };
  atEnd(t, thaw);
  stop(pid);
  return thaw;
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
    return undefined; // it has ended since
  }
}

/**
 * Chromium with real windows, as a player has it: a tab behind another one is hidden, and throttled. Headless pages never
 * count as hidden, and neither does any page that playwright launched: it makes them all believe that they have the focus.
 * So the browser is started here, and playwright only connects to it, with its overrides off.
 */
export async function launchHeadedBrowser(t) {
  const display = await startDisplay(t);
  const profile = mkdtempSync(join(tmpdir(), "tickwire-chromium-"));
  atEnd(t, () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));
  const browser = start(
    t,
    "chromium",
    CHROMIUM,
    [
      ...QUIET,
      "--ignore-certificate-errors",
      "--no-default-browser-check",
      "--password-store=basic",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      "about:blank",
    ],
    { env: { ...process.env, DISPLAY: display } },
  );
  const [, endpoint] = await printed("chromium", browser, /^DevTools listening on (ws:\S+)$/m);
  const connection = await chromium.connectOverCDP(endpoint, { noDefaults: true });
  return connection.contexts()[0];
}

/** A tab at `url`. `problems` collects what a player would never see but a developer must: errors of page and console. */
export async function openPage(context, url) {
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => problems.push(`page: ${error.stack ?? error}`));
  page.on("crash", () => problems.push("the page crashed"));
  await page.goto(url);
  return { page, problems };
}

/** The address that joins without a click. */
export function joinUrl(server, { name, room }) {
  return `${server.page}?${new URLSearchParams({ name, autojoin: "1", room })}`;
}

/** A file with this text, until the test ends. */
export function fileWith(t, text) {
  const folder = mkdtempSync(join(tmpdir(), "tickwire-file-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "file");
  writeFileSync(file, text);
  return file;
}

/** A ticket as a login service gives them (JWT, HS256). */
export function signedTicket(secret, claims) {
  const [head, body] = [{ alg: "HS256", typ: "JWT" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  return `${head}.${body}.${createHmac("sha256", secret).update(`${head}.${body}`).digest("base64url")}`;
}

/** Fingers on the page: `touchStart` and `touchMove` say where all of them lie (by number: x and y); the others lift all of them. */
export async function fingersOn(page) {
  const session = await page.context().newCDPSession(page);
  return (type, fingers) => {
    const touchPoints = Object.entries(fingers).map(([id, [x, y]]) => ({ id: Number(id), x, y }));
    return session.send("Input.dispatchTouchEvent", { type, touchPoints });
  };
}

/** What the page says of itself. */
export const automation = (page) => page.evaluate(() => window.tickwire);

/** Waits until the page plays and shows something. */
export const playing = (page) =>
  page.waitForFunction(() => window.tickwire?.state === "playing" && window.tickwire.entities > 0, null, { timeout: START_MS });
