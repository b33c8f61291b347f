// The types that `tickwire types` writes for a running game: they compile, they refuse what the game has not, and a room takes them.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { CLI, launchBrowser, openPage, startSite, startTag, TAG, test } from "./harness.mjs";

const MINUTE = { timeout: 60_000 };
const run = promisify(execFile);
const web = new URL("..", import.meta.url).pathname;

/** What a page does with the types of tag, and what it must not do. */
const PAGE = `
  import { join, type AnyGame, type Room } from "@tickwire/client";
  import { type Runner, type Tag, tag } from "./tag.js";

  const room: Room<Tag> = await join(tag, { url: "ws://127.0.0.1:1/ws", room: "meadow" });
  room.input = { dx: 1 };
  room.press({ dash: true });
  const frame = room.frame();
  export const tick: number = frame.tick;
  for (const runner of frame.runner) {
    const { x, it, isOwn, id }: { x: number; it: boolean; isOwn: boolean; id: number } = runner;
    const breath: number | undefined = runner.breath;
    const shown: Runner = runner;
    console.log(x, it, isOwn, id, breath, shown);
  }
  for (const { name, touches, player } of frame.score) console.log(name.toUpperCase(), touches + player);
  room.on("touched", ({ who }, { tick }) => console.log(who + tick));
  room.onMessage("youAreIt", () => {});

  // @ts-expect-error the input has no dz
  room.input = { dz: 1 };
  // @ts-expect-error dash is a boolean
  room.press({ dash: 1 });
  // @ts-expect-error rows are read only
  for (const runner of frame.runner) runner.x = 1;
  // @ts-expect-error another player's breath is not there
  for (const runner of frame.runner) console.log(runner.breath.toFixed());
  // @ts-expect-error there is no such kind
  console.log(frame.ship);
  // @ts-expect-error there is no such event
  room.on("tuched", () => {});
  // @ts-expect-error there is no such field
  room.on("touched", ({ whom }) => console.log(whom));
  // @ts-expect-error tag has no commands
  room.command("team", { team: 1 });

  const untyped: Room<AnyGame> = await join({ url: "ws://127.0.0.1:1/ws" });
  untyped.input = { anything: 1 };
  untyped.command("team", { team: 1 });
  untyped.on("anything", ({ some }, { tick }) => console.log(some, tick));
  const at: number = untyped.frame().tick;
  for (const runner of untyped.frame()["runner"]) console.log(runner.x, at);
`;

function folder(t) {
  const made = mkdtempSync(join(tmpdir(), "tickwire-types-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test("the types of a running game compile, and refuse mistakes", MINUTE, async (t) => {
  const server = await startTag(t);
  const made = folder(t);
  await run(CLI, ["types", "--url", server.socket, "--out", join(made, "tag.ts")]);
  writeFileSync(join(made, "page.ts"), PAGE);
  const config = {
    extends: join(web, "tsconfig.json"),
    compilerOptions: { noEmit: true, noPropertyAccessFromIndexSignature: false, paths: { "@tickwire/client": [join(web, "dist/index.d.ts")] } },
    files: ["page.ts"],
  };
  writeFileSync(join(made, "tsconfig.json"), JSON.stringify(config));
  await run(join(web, "node_modules/.bin/tsc"), ["-p", made]).catch(({ stdout }) => assert.fail(stdout));
});

test("the types of a printed schema are those of the running game", MINUTE, async (t) => {
  const server = await startTag(t);
  const file = join(folder(t), "tag.json");
  writeFileSync(file, (await run(TAG, ["--print-schema"])).stdout);
  const printed = await run(CLI, ["types", "--schema", file]);
  const asked = await run(CLI, ["types", "--url", server.socket]);
  assert.equal(printed.stdout, asked.stdout);
});

test("a room takes the types of its game, and no other's", MINUTE, async (t) => {
  const site = await startSite(t, `import { join } from "./index.js"; window.join = join;`);
  const server = await startTag(t, { args: ["--allowed-origin", site] });
  const made = folder(t);
  await run(CLI, ["types", "--url", server.socket, "--out", join(made, "tag.ts")]);
  const { outputFiles } = await build({ stdin: { contents: readFileSync(join(made, "tag.ts"), "utf8"), loader: "ts" }, bundle: true, format: "esm", write: false, packages: "external" });
  const { page } = await openPage(await launchBrowser(t), site);
  await page.waitForFunction(() => window.join);
  const found = await page.evaluate(
    async ({ source, url }) => {
      const { tag } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
      const room = await window.join(tag, { url, room: "meadow" });
      const older = structuredClone(tag);
      older.shape.kinds.runner.mana = "number";
      return [room.game, await window.join(older, { url, room: "meadow" }).catch((error) => error.message)];
    },
    { source: outputFiles[0].text, url: server.socket },
  );
  assert.equal(found[0], "tag");
  assert.match(found[1], /this page knows runner\.mana, which the room's game does not have; write the protocol anew/);
});

test("an address without a server is a sentence", MINUTE, async () => {
  await assert.rejects(run(CLI, ["types", "--url", "ws://127.0.0.1:9/ws"]), ({ stderr }) => /does not answer|cannot be reached/.test(stderr));
});
