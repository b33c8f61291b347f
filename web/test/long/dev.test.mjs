// From `tickwire new` to a moving player, and `tickwire dev`: a change of the rules is live in the page that is open, and a build that
// fails stops nobody.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CLI, ROOT, freePort, launchBrowser, openPage, start, test, until } from "../harness.mjs";

/** The first build on a slow machine, where nothing of the game's dependencies is compiled yet. */
const LONG = { timeout: 900_000 };

/** `tickwire dev` in a new game, with a port of its own: a page comes back to the same address. */
async function develop(t) {
  // Always the same folder, within the target folder: what is compiled for the game, with its path in it, is compiled once.
  const target = dirname(dirname(CLI));
  const parent = join(target, "tmp", "new-game");
  const cwd = join(parent, "walk");
  rmSync(cwd, { recursive: true, force: true });
  mkdirSync(parent, { recursive: true });
  execFileSync(CLI, ["new", "walk", "--path", ROOT], { cwd: parent });
  const [, toolchain] = /^channel = "(.+)"$/m.exec(readFileSync(join(ROOT, "rust-toolchain.toml"), "utf8"));
  const env = { ...process.env, CARGO_TARGET_DIR: target, CARGO_NET_OFFLINE: "true", RUSTUP_TOOLCHAIN: toolchain };
  const port = await freePort();
  const dev = start(t, "tickwire dev", CLI, ["dev", "--", "--listen", `127.0.0.1:${port}`, "--ops-listen", "127.0.0.1:0"], { cwd, env });
  /** Waits until it has said so, after what it had said before. */
  let heard = 0;
  const says = (pattern) =>
    until(t, () => {
      const text = dev.output.join("");
      const match = pattern.exec(text.slice(heard));
      if (match) heard += match.index + match[0].length;
      else if (dev.child.exitCode !== null) throw new Error(`tickwire dev ended: ${text}`);
      return match;
    });
  const edit = (file, change) => {
    const path = join(cwd, file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  };
  return { dev, says, edit };
}

test("a new game is played, and a change of its rules is live", LONG, async (t) => {
  const began = performance.now();
  const { dev, says, edit } = await develop(t);
  const [, address] = await says(/tickwire dev: open (\S+)\n/);
  const { page, problems } = await openPage(await launchBrowser(t), `${address}?name=Ada&room=meadow`);
  await page.waitForFunction(() => window.room?.me && window.room.isPredicting);
  const start = await page.evaluate(() => window.room.me.x);
  await page.keyboard.down("ArrowRight");
  await page.waitForFunction((start) => window.room.me.x > start + 20, start);
  await page.keyboard.up("ArrowRight");
  t.diagnostic(`${((performance.now() - began) / 1000).toFixed(1)} s from tickwire new to a moving player`);
  assert.equal(await page.textContent("#line"), "WASD or arrows walk");
  assert.deepEqual(problems, []);

  // A mistake: the server goes on.
  edit("src/lib.rs", (text) => text.replace("self.pos = (", "self.nowhere = ("));
  await says(/the build failed; the server before this change goes on\n/);
  assert.match(dev.output.join(""), /error\[E\d+\]/);
  assert.equal(await page.evaluate(() => window.room.phase), "playing");

  // The mistake goes, and right is left now.
  await page.evaluate(() => void (window.isOld = true));
  edit("src/lib.rs", (text) => text.replace("self.nowhere = (", "self.pos = (").replace("SPEED: f32 = 3.0", "SPEED: f32 = -9.0"));
  const changed = performance.now();
  await says(/tickwire dev: built in ([\d.]+) s\n/);
  await says(/tickwire dev: open \S+\n/);
  t.diagnostic(`${((performance.now() - changed) / 1000).toFixed(1)} s from a change to the new server`);
  // The page that is open comes back by itself.
  await page.waitForFunction(() => !window.isOld && window.room?.me?.x === 480 && window.room.isPredicting);
  await page.keyboard.down("ArrowRight");
  await page.waitForFunction(() => window.room.me.x < 480 - 20);
  await page.keyboard.up("ArrowRight");
  t.diagnostic(`${((performance.now() - changed) / 1000).toFixed(1)} s from a change to a player who moves by it`);

  // A change of the page needs no build: the page that is open reloads by itself, and its player is the same one.
  const left = await page.evaluate(() => window.room.me.x);
  edit("page/page.js", (text) => text.replace("WASD or arrows walk", "Go!"));
  await says(/page\/page\.js changed: open pages reload\n/);
  await page.waitForFunction(() => document.querySelector("#line").textContent === "Go!");
  await page.waitForFunction((left) => Math.abs(window.room?.me?.x - left) < 100, left);

  dev.child.kill("SIGINT");
  assert.deepEqual(await dev.ended, { code: 0, signal: null });
  await assert.rejects(fetch(address));
});
