/** A new project with its first commands: written, installed, started; and a second request is a HIT. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { newFolder, root } from "./harness.mjs";
import { dev, install, run, wrangler } from "./program.mjs";

const program = path.join(process.env.CARGO_TARGET_DIR ?? path.join(root, "target"), "program/isr");
const launcher = path.join(root, "packages/cloudflare-isr/bin/cloudflare-isr.mjs");

/** Runs the program as the npm package does, and returns its status and what it has said. */
function create(...args) {
  return spawnSync(process.execPath, [launcher, ...args], { encoding: "utf8", env: { ...process.env, ISR_PROGRAM: program } });
}

test("`cargo xtask new` writes a gateway with a site behind it, which runs and could be deployed", { timeout: 300_000 }, async (t) => {
  const folder = path.join(await newFolder(), "My pages");
  await run("cargo", ["xtask", "new", folder]);
  await install(folder);
  for (const worker of ["gateway", "site"]) await run(wrangler, ["deploy", "--dry-run", "-c", `${worker}/wrangler.toml`], { cwd: folder });

  const { scripts } = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
  // It is checked first, by the program that npm has installed for this machine.
  assert.match(scripts.deploy, /^cloudflare-isr check gateway\/wrangler\.toml && wrangler deploy /);
  const checked = await run("npm", ["exec", "--", "cloudflare-isr", "check", "gateway/wrangler.toml"], { cwd: folder });
  assert.equal(checked.stdout, "gateway/wrangler.toml: no problem\n");
  const configurations = scripts.dev.match(/^wrangler dev -c (\S+) -c (\S+)$/).slice(1);
  const visit = await dev(t, folder, configurations);
  for (const page of ["/", "/blog/hello"]) {
    const first = await visit(page);
    const second = await visit(page);
    assert.deepEqual([first.status, first.isr, second.isr], [200, "MISS", "HIT"], first.text);
    assert.equal(second.text, first.text);
  }
  const missing = await visit("/nothing");
  assert.deepEqual([missing.status, missing.isr], [404, null]);
});

test("a site that there is is named, and no example of one is written", async () => {
  const folder = await newFolder();
  for (const [name, args, line] of [
    ["service", ["--site", "my-site"], 'service = "my-site"'],
    ["url", ["--origin", "https://site.example.com"], 'origin = "https://site.example.com"'],
  ]) {
    const target = path.join(folder, name);
    assert.equal(create("new", target, ...args).status, 0);
    assert.deepEqual((await readdir(target)).sort(), [".gitignore", "gateway", "package.json"]);
    assert.ok((await readFile(path.join(target, "gateway/wrangler.toml"), "utf8")).includes(line));
  }
});

test("what can't be done is said, and nothing is written", async () => {
  const folder = await newFolder();
  const full = path.join(folder, "full");
  create("new", full, "--site", "a");
  await writeFile(path.join(full, "package.json"), "mine");
  for (const [args, message] of [
    [[], "Usage"],
    [["new"], "Usage"],
    [["make", path.join(folder, "x")], "Usage"],
    [["new", path.join(folder, "x"), "--sitte", "a"], "--sitte"],
    [["new", path.join(folder, "x"), "--site", 'a"b'], "no name of a Worker"],
    [["new", path.join(folder, "x"), "--origin", "site.example.com"], "no URL"],
    [["new", path.join(folder, "x"), "--site", "a", "--origin", "https://e.com"], "one of"],
    [["new", full], "not empty"],
  ]) {
    const { status, stderr } = create(...args);
    assert.equal(status, 2, args.join(" "));
    assert.ok(stderr.includes(message), stderr);
  }
  assert.deepEqual(await readdir(folder), ["full"]);
  assert.equal(await readFile(path.join(full, "package.json"), "utf8"), "mine");
});

test("without the program of this machine's platform, the package says what to do", async () => {
  const { status, stderr } = spawnSync(process.execPath, [launcher, "new", "x"], { encoding: "utf8", env: { PATH: process.env.PATH } });
  assert.equal(status, 2);
  assert.match(stderr, /the program of cloudflare-isr for \S+ is not installed.*cargo install --path cli/s);
});
