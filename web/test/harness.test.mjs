// The tests' own promise: only a crash of the browser process makes a test run once more.

import assert from "node:assert/strict";
import { test as nodeTest } from "node:test";
import { runTest } from "./attempt.mjs";
import { openPage, startBrowser } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };

/** Plays in a browser until something ends it. `disturb` gets the number of the attempt, the browser's process id and the page. */
const inBrowser = (t, disturb) => {
  const outcome = { attempts: 0, error: undefined };
  const body = async (attempt) => {
    outcome.attempts++;
    const { context, pid } = await startBrowser(attempt);
    const { page } = await openPage(context, "about:blank");
    await disturb({ attempt: outcome.attempts, pid, page });
  };
  return runTest(t, MINUTE, body).then(
    () => outcome,
    (error) => ({ ...outcome, error }),
  );
};

/** Kills the browser in the middle of a call to the page, as a crash would. */
const crash = async ({ pid, page }) => {
  const waiting = page.waitForFunction(() => false);
  process.kill(pid, "SIGKILL");
  await waiting;
};

nodeTest("a test whose browser crashed once runs again and passes", async (t) => {
  const { attempts, error } = await inBrowser(t, async ({ attempt, pid, page }) => {
    if (attempt === 1) await crash({ pid, page });
  });
  assert.deepEqual([attempts, error], [2, undefined]);
});

nodeTest("a second crash of the browser fails the test", async (t) => {
  const { attempts, error } = await inBrowser(t, crash);
  assert.equal(attempts, 2);
  assert.match(error.message, /closed/);
});

nodeTest("a failed assertion or a crashed page is never repeated", async (t) => {
  const mistake = await inBrowser(t, () => assert.fail("a mistake of ours"));
  assert.equal(mistake.attempts, 1);
  assert.match(mistake.error.message, /a mistake of ours/);

  const crashedPage = await inBrowser(t, async ({ page }) => {
    const crashed = new Promise((done) => page.on("crash", done));
    await Promise.all([page.goto("chrome://crash").catch(() => {}), crashed]);
    throw new Error("the page crashed");
  });
  assert.equal(crashedPage.attempts, 1);
  assert.match(crashedPage.error.message, /the page crashed/);
});
