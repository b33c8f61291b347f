// Tests that survive a crash of the browser process: in comes a test's body, out goes a test of node's runner.
//
// A test that fails after a browser process of its own has crashed runs once more, from scratch. Nothing else is ever repeated: not a
// crashed page, not a timeout, not a failed assertion. The output says what crashed and how.
//
// What a test starts belongs to its attempt (`t`), and ends with that attempt.

import { test as nodeTest } from "node:test";

const EXIT_MS = 5_000;
const STDERR_LINES = 20;

/**
 * Declares a test of node's runner. `options.timeout` (milliseconds) is for one attempt; `options.browser` is Chromium, unless it is
 * "Firefox". `body` gets an `Attempt`.
 */
export function test(name, options, body) {
  const { timeout, browser, ...others } = options;
  nodeTest(name, others, (nodeContext) => runTest(nodeContext, { timeout, browser }, body));
}

/**
 * Declares a test in Chromium, and the same test in Firefox: always if `options.differs`, which says that browsers differ in what the test is
 * about, else with TICKWIRE_LONG=1 only.
 */
export function testInBoth(name, { differs, ...options }, body) {
  const skip = differs || process.env.TICKWIRE_LONG ? false : "in Firefox only with TICKWIRE_LONG=1";
  test(name, options, body);
  test(`${name} (Firefox)`, { ...options, skip, browser: "Firefox" }, body);
}

/** Runs `body`, and once more if it failed because a browser process crashed. `timeout`: milliseconds for one attempt. */
export async function runTest(nodeContext, { timeout, browser }, body) {
  const first = new Attempt(nodeContext, browser);
  const failure = await first.run(body, timeout);
  if (!failure) return;
  if (!first.hasCrash) throw failure.error;
  report(`"${nodeContext.name}" runs once more, as its browser crashed. It failed with: ${failure.error?.message ?? failure.error}`);
  const second = await new Attempt(nodeContext, browser).run(body, timeout);
  if (second) throw second.error;
}

/** One run of a test's body. Has what the tests use of node's test context. */
class Attempt {
  #nodeContext;
  #abort = new AbortController();
  #endings = [];
  #browsers = [];
  #hasCrash = false;

  /** Whether the body succeeded; undefined while it runs. */
  passed = undefined;

  constructor(nodeContext, browser = "Chromium") {
    this.#nodeContext = nodeContext;
    this.browser = browser;
  }

  /** Aborts when the attempt takes too long, and when a browser process of it crashes. */
  get signal() {
    return this.#abort.signal;
  }

  /** Whether a browser process ended before the attempt ended it. */
  get hasCrash() {
    return this.#hasCrash;
  }

  diagnostic(text) {
    this.#nodeContext.diagnostic(text);
  }

  /** Runs `action` after the body. Actions run in reverse order. */
  after(action) {
    this.#endings.push(action);
  }

  /** Runs the body, then all endings. Returns `{ error }` if any of them failed. */
  async run(body, timeout) {
    let timer;
    const late = new Promise((_, fail) => {
      timer = setTimeout(() => {
        const error = new Error(`the test did not end within ${timeout} ms`);
        this.#abort.abort(error);
        fail(error);
      }, timeout);
    });
    const failures = [];
    const collect = async (action) => {
      try {
        await action();
      } catch (error) {
        failures.push({ error });
      }
    };
    await collect(() => Promise.race([body(this), late]));
    clearTimeout(timer);
    if (failures.length) await this.#exitsOfLostBrowsers();
    this.passed = failures.length === 0;
    for (const ending of this.#endings.reverse()) await collect(ending);
    return failures[0];
  }

  /** Watches a browser process for a crash. `ask`: asks the browser something; rejects if the connection to it is lost. */
  watchBrowser({ child, ask, stderr }) {
    let how;
    child.once("exit", (code, signal) => {
      if (this.passed !== undefined) return; // the attempt is over and ends its browsers
      how = `${this.browser} (process ${child.pid}) crashed: exit code ${code}, signal ${signal}`;
      this.#crash(how);
    });
    // The last lines of stderr can come after the exit.
    const closed = new Promise((done) => child.once("close", done)).then(() => {
      if (!how) return;
      const tail = stderr().trimEnd().split("\n").slice(-STDERR_LINES).join("\n");
      report(`${how}; the end of its stderr:\n${tail || "(empty)"}`);
    });
    this.#browsers.push({ ask, closed });
  }

  /** Notes that a browser process ended before it was ready. `error` tells how. */
  browserDiedAtStart(error) {
    this.#crash(`${this.browser} crashed at its start: ${error.message}`);
  }

  #crash(how) {
    this.#hasCrash = true;
    this.#abort.abort(new Error(how));
  }

  /** Waits for the exit of processes that do not answer any more: the body can fail by a closed page before the exit is known. */
  async #exitsOfLostBrowsers() {
    const exits = this.#browsers.map(({ ask, closed }) => ask().then(() => {}, () => closed));
    let timer;
    const limit = new Promise((done) => (timer = setTimeout(done, EXIT_MS)));
    await Promise.race([Promise.all(exits), limit]);
    clearTimeout(timer);
  }
}

function report(text) {
  process.stderr.write(`--- ${text}\n`);
}
