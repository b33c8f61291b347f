// Firefox for the browser tests, over WebDriver BiDi, with the verbs of playwright that they use: playwright drives no stock Firefox.
//
// In: a test's attempt. Out: a context, whose pages open, evaluate, wait, click, type and close as playwright's do. Has nothing of the
// DevTools protocol, no routes and no screen options: a test that needs those says that it runs in Chromium only.

import { once } from "node:events";
import puppeteer from "puppeteer-core";

const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const VIEWPORT = { width: 1280, height: 800 };
const PREFERENCES = {
  // Nothing that reaches out by itself.
  "app.normandy.enabled": false,
  "browser.safebrowsing.downloads.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
};

/** Starts headless Firefox, which ends with the test. Returns a context. `preferences`: more of about:config. */
export async function startFirefox(t, preferences = {}) {
  const launched = { browser: "firefox", executablePath: FIREFOX, headless: true, acceptInsecureCerts: true, defaultViewport: VIEWPORT };
  const browser = await puppeteer.launch({ ...launched, extraPrefsFirefox: { ...PREFERENCES, ...preferences } });
  t.after(() => browser.close());
  const child = browser.process();
  const stderr = [];
  child.stderr?.on("data", (text) => stderr.push(text));
  t.watchBrowser({ child, ask: () => browser.version(), stderr: () => stderr.join("") });
  return new Context(browser);
}

class Context {
  #browser;
  /** Pages that the tests opened themselves. */
  #own = new Set();

  constructor(browser) {
    this.#browser = browser;
  }

  async newPage() {
    const page = await this.#browser.newPage();
    this.#own.add(page.target());
    return new Page(page);
  }

  /** Only for "page": the next one that a page opens. */
  async waitForEvent(name) {
    if (name !== "page") throw new Error(`the tests in Firefox do not wait for "${name}"`);
    for (;;) {
      const [target] = await once(this.#browser, "targetcreated");
      const page = this.#own.has(target) ? undefined : await target.page();
      if (page) return new Page(page);
    }
  }
}

/** Playwright's "text=..." as puppeteer spells it. */
const withText = (selector) => selector.replace(/^text=(.*)$/, "::-p-text($1)");

/** As much of playwright's Page as the tests use. */
class Page {
  #page;
  keyboard;
  mouse;

  constructor(page) {
    this.#page = page;
    this.keyboard = page.keyboard;
    this.mouse = page.mouse;
    // The test's own limit counts.
    page.setDefaultTimeout(0);
  }

  on(name, listener) {
    if (name === "console") {
      this.#page.on("console", (message) => listener({ type: () => message.type(), text: () => message.text(), location: () => message.location() ?? {} }));
    } else if (name === "pageerror") this.#page.on("pageerror", listener);
  }

  url() {
    return this.#page.url();
  }

  goto(url) {
    return this.#page.goto(url);
  }

  reload() {
    return this.#page.reload();
  }

  evaluate(run, argument) {
    return this.#page.evaluate(run, argument);
  }

  waitForFunction(condition, argument, { timeout = 0 } = {}) {
    return this.#page.waitForFunction(condition, { timeout, polling: 50 }, argument);
  }

  waitForSelector(selector) {
    return this.#page.waitForSelector(withText(selector));
  }

  bringToFront() {
    return this.#page.bringToFront();
  }

  click(selector) {
    return this.#page.click(withText(selector));
  }

  isVisible(selector) {
    return this.#page.$eval(selector, (element) => element.checkVisibility());
  }

  async fill(selector, text) {
    await this.#page.$eval(selector, (field) => (field.value = ""));
    await this.#page.type(selector, text);
  }

  textContent(selector) {
    return this.#page.$eval(selector, (element) => element.textContent);
  }

  close({ runBeforeUnload = false } = {}) {
    return this.#page.close({ runBeforeUnload });
  }
}
