// The stamp of a built folder: a hash of its sources, its toolchain, and the hash of each file. It lies beside the folder.
//
//   node stamp.mjs write SOURCES DIST TOOLCHAIN     writes the stamp of DIST
//   node stamp.mjs compare DIST FRESH       exits with 1 and the reasons if DIST differs from the fresh build
//   node stamp.mjs replace DIST FRESH               makes DIST the fresh build
//
// SOURCES: "core" for the SDK and the crates of its core, else a folder with other sources (a page's).
//
// Only what affects the result counts as a source: of Cargo.lock the packages that the client crate depends on, and of the
// workspace's Cargo.toml the profiles and the lines of these packages. A new dependency of the server alone changes nothing.

import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(fileURLToPath(import.meta.url));
const root = dirname(web);
const stampOf = (dist) => join(dirname(resolve(dist)), "BUILD.json");

const CRATES = ["proto", "prefetch", "sync", "rules", "rules-wasm", "game", "client"];
const NOT_IN_A_CRATE = new Set(["tests", "benches", "examples", "target"]);
const WEB_FILES = ["build.sh", "stamp.mjs", "package.json", "package-lock.json", "tsconfig.json", "tsconfig.sdk.json"];
/** What beside its own sources affects a page. */
const PAGE_TOOLS = ["stamp.mjs", "package-lock.json", "tsconfig.json"];
const GENERATED = join(web, "src", "wasm");

const sha256 = (data) => createHash("sha256").update(data).digest("hex");

/** All files under `folder`, sorted by path, without hidden and skipped ones. */
function filesUnder(folder, skip = () => false) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".") || skip(path)) continue;
    if (entry.isDirectory()) found.push(...filesUnder(path, skip));
    else found.push(path);
  }
  return found.sort();
}

/** The entries of Cargo.lock that the client crate depends on, directly or not. */
function lockedPackages() {
  const entries = readFileSync(join(root, "Cargo.lock"), "utf8")
    .split("[[package]]")
    .slice(1)
    .map((text) => ({
      text: text.trim(),
      name: /^name = "(.+)"$/m.exec(text)[1],
      version: /^version = "(.+)"$/m.exec(text)[1],
      // "name", or "name version" where the lock file has several versions
      dependencies: [...(/^dependencies = \[([^\]]*)\]/m.exec(text)?.[1] ?? "").matchAll(/"([^" ]+)(?: ([^" ]+))?/g)],
    }));
  const reached = new Set();
  const visit = (name, version) => {
    for (const entry of entries) {
      if (entry.name !== name || (version && entry.version !== version) || reached.has(entry)) continue;
      reached.add(entry);
      for (const [, dependency, itsVersion] of entry.dependencies) visit(dependency, itsVersion);
    }
  };
  visit("tickwire-client");
  return entries.filter((entry) => reached.has(entry));
}

/** The workspace's Cargo.toml without comments and without dependencies of other crates. */
function workspaceManifest(names) {
  let section = "";
  let kept = true;
  const lines = [];
  for (const line of readFileSync(join(root, "Cargo.toml"), "utf8").split("\n")) {
    if (line.startsWith("[")) section = line;
    if (line === "" || line.startsWith("#")) continue;
    const key = /^([\w-]+)\s*=/.exec(line)?.[1];
    if (line.startsWith("[") || key) {
      kept =
        section.startsWith("[profile.") || section === "[workspace.package]"
          ? true
          : section === "[workspace.dependencies]" && (line === section || names.has(key));
    }
    if (kept) lines.push(line);
  }
  return lines.join("\n");
}

/** One hash over all sources. */
function sourcesHash(sources) {
  const hash = createHash("sha256");
  const add = (name, data) => hash.update(`${name} ${sha256(data)}\n`);
  const addFile = (path) => add(relative(root, path).split(sep).join("/"), readFileSync(path));

  if (sources !== "core") {
    filesUnder(resolve(sources)).forEach(addFile);
    PAGE_TOOLS.map((name) => join(web, name)).forEach(addFile);
    return hash.digest("hex");
  }
  for (const crate of CRATES) {
    const folder = join(root, crate);
    const skip = (path) => NOT_IN_A_CRATE.has(relative(folder, path)) || path.endsWith(".md");
    filesUnder(folder, skip).forEach(addFile);
  }
  filesUnder(join(web, "src"), (path) => path === GENERATED).forEach(addFile);
  filesUnder(join(web, "bindgen"), (path) => path.endsWith("target")).forEach(addFile);
  WEB_FILES.map((name) => join(web, name)).forEach(addFile);

  const packages = lockedPackages();
  add("Cargo.lock", packages.map((entry) => entry.text).join("\n"));
  add("Cargo.toml", workspaceManifest(new Set(packages.map((entry) => entry.name))));
  return hash.digest("hex");
}

function hashesOf(dist) {
  return Object.fromEntries(filesUnder(dist).map((path) => [relative(dist, path).split(sep).join("/"), sha256(readFileSync(path))]));
}

function write(sources, dist, toolchain) {
  const stamp = { sources: sourcesHash(sources), toolchain, files: hashesOf(dist) };
  writeFileSync(stampOf(dist), `${JSON.stringify(stamp, null, 2)}\n`);
}

/** The differences between `dist` and the fresh build, one line each. */
function faults(dist, fresh) {
  const read = (folder) => JSON.parse(readFileSync(stampOf(folder), "utf8"));
  let committed;
  try {
    committed = read(dist);
  } catch (error) {
    return [`the stamp cannot be read: ${error.message}`];
  }
  const built = read(fresh);
  const differing = (wanted, found) =>
    [...new Set([...Object.keys(wanted), ...Object.keys(found)])].filter((name) => wanted[name] !== found[name]);

  const lines = differing(committed.files, hashesOf(dist)).map((name) => `${name} was changed after it was built`);
  if (committed.sources !== built.sources) {
    lines.push("the sources have changed since it was built");
  }
  if (committed.toolchain === built.toolchain) {
    const names = differing(built.files, committed.files);
    lines.push(...names.map((name) => `${name} differs from the fresh build`));
    console.log(`compared byte by byte (${built.toolchain})`);
  } else {
    console.log(`compared by the hash of the sources: built with ${committed.toolchain}, this is ${built.toolchain}`);
  }
  return lines;
}

/** Writes only files that changed, so that a program that embeds them is not compiled in vain. */
function replace(dist, fresh) {
  const built = filesUnder(fresh).map((path) => [path, join(dist, relative(fresh, path))]);
  const wanted = new Set(built.map(([, to]) => to));
  if (existsSync(dist)) filesUnder(dist).filter((path) => !wanted.has(path)).forEach((path) => rmSync(path));
  for (const [from, to] of [...built, [stampOf(fresh), stampOf(dist)]]) {
    mkdirSync(dirname(to), { recursive: true });
    if (!existsSync(to) || !readFileSync(from).equals(readFileSync(to))) copyFileSync(from, to);
  }
  for (const [, to] of built) console.log(`${String(readFileSync(to).length).padStart(8)}  ${relative(process.cwd(), to)}`);
}

const [command, ...rest] = process.argv.slice(2);
if (command === "write" && rest.length === 3) {
  write(...rest);
} else if (command === "replace" && rest.length === 2) {
  replace(...rest);
} else if (command === "compare" && rest.length === 2) {
  const [dist, fresh] = rest;
  const name = relative(root, resolve(dist));
  const lines = faults(dist, fresh);
  for (const line of lines) console.error(`${name}: ${line}`);
  if (lines.length > 0) {
    console.error(`${name} is out of date. Run ${relative(root, dirname(resolve(dist)))}/build.sh and commit it.`);
    process.exit(1);
  }
  console.log(`${name} is up to date`);
} else {
  console.error("usage: node stamp.mjs write SOURCES DIST TOOLCHAIN | compare DIST FRESH | replace DIST FRESH");
  process.exit(2);
}
