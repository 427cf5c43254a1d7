/** The command line, against the built Worker: each command, each exit code, and each call of the documents. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";

import { adminToken, config, host, newFolder, root, start, until } from "./harness.mjs";

const folder = path.join(process.env.CARGO_TARGET_DIR ?? path.join(root, "target"), "program");
const url = (page) => `http://${host}${page}`;
let isr, home;

before(async () => {
  home = await newFolder();
  isr = await start({ isr: config({}, { "/lab/[name]": {} }), troubled: true });
});

/** Runs a program to its end, and returns its exit code and what it has printed. */
function run(program, args, variables = {}) {
  const env = { PATH: `${folder}:${process.env.PATH}`, HOME: home, ISR_URL: isr.address, ISR_ADMIN_TOKEN: adminToken, ...variables };
  return new Promise((resolve) => {
    execFile(program, args, { env, cwd: root, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

const command = (...args) => run(path.join(folder, "isr"), args);

/** Runs a command that is to end with a code, and returns what it has printed. */
async function printed(code, ...args) {
  const { code: ended, stdout, stderr } = await command(...args);
  assert.equal(ended, code, `${args.join(" ")}: ${stdout}${stderr}`);
  assert.ok(!`${stdout}${stderr}`.includes(adminToken), "the token is never printed");
  assert.doesNotMatch(stdout, /\u001b/, "no colors in a pipe");
  return code === 0 || stdout ? stdout : stderr;
}

const json = async (...args) => JSON.parse(await printed(0, ...args, "--json"));

/** Sets a page up, and renders it once. */
async function page(name, headers = {}) {
  const made = await isr.lab(name, { headers: { "X-ISR-Revalidate": "300", ...headers } });
  await isr.untilStatus(made, "HIT");
  return made;
}

test("a page is explained, and shown as its coordinator knows it", async () => {
  const made = await page("shown", { "Cache-Tag": "cli:shown" });
  const why = await printed(0, "why", url(made), "--detail", "queue-full");
  assert.match(why, /^Fresh until .*A request here gets HIT.*`queue-full` means: /);
  assert.match(why, /^coordinator +\/lab\/\[name\]#0$/m);
  assert.equal((await json("why", url(made))).facts.key, url(made));

  const entry = await printed(0, "entry", url(`${made}?a=b`));
  assert.match(entry, /^\/lab\/shown: route \/lab\/\[name\], coordinator \/lab\/\[name\]#0, 1 entry\n/);
  assert.match(entry, /^http:\/\/isr\.test\/lab\/shown +fresh +200 /m);
  assert.equal((await json("entry", made)).entries[0].key, url(made));

  const tags = await printed(0, "tags", "cli:shown");
  assert.match(tags, /^pages +1: 1 fresh, 0 stale, 0 expired$/m);
  const shard = await printed(0, "shard", "/lab/[name]#0", "--limit", "1");
  assert.match(shard, /^breaker +closed, /m);
  assert.match(shard, /^http:\/\/isr\.test\/lab\//m);
});

test("what is not there is not found", async () => {
  assert.match(await printed(1, "entry", "/editor"), /no route matches it/);
  assert.match(await printed(1, "entry", "/lab/never-asked-for"), /0 entries/);
  assert.match(await printed(1, "tags", "cli:nobody"), /No page is listed/);
  assert.match(await printed(1, "shard", "/nowhere#0"), /no coordinator \/nowhere#0 is known/);
});

test("an invalidation is shown before it is made, made, and waited for", async () => {
  const made = await page("edited", { "Cache-Tag": "cli:edited" });
  const dry = await printed(0, "invalidate", "--tag", "cli:edited", "--path", made, "--dry-run");
  assert.match(dry, /^Nothing is invalidated/);
  assert.match(dry, /^tag cli:edited: 1: 1 fresh, 0 stale, 0 expired\n {2}http:\/\/isr\.test\/lab\/edited$/m);
  assert.equal((await isr.fetch(made)).isr, "HIT", "a dry run changes nothing");

  const receipts = await json("invalidate", "--tag", "cli:edited", "--path", "/lab/other", "--mode", "stale", "--wait");
  assert.deepEqual(receipts.invalidations.map(({ mode, shards }) => [mode, shards.pending]), [["stale", 0], ["stale", 0]]);
  await until("the page to be stale", async () => (await isr.fetch(made)).isr !== "HIT");

  const everything = await printed(0, "invalidate", "--everything", "--mode", "purge", "--wait");
  assert.match(everything, /^NUMBER +TARGET +MODE +PAGES +APPLIED +PENDING\n\d+ +everything +purge +\d+ +\d+ +0\n$/);
  assert.equal((await isr.fetch(made)).isr, "MISS");
});

test("a dry run lists the pages of a prefix and of a route", async () => {
  const made = await page("listed");
  for (const target of [["--prefix", "/lab"], ["--route", "/lab/[name]"], ["--everything"]]) {
    const dry = await printed(0, "invalidate", ...target, "--dry-run");
    assert.ok(dry.includes(`\n  ${url(made)}\n`), dry);
  }
  assert.match(await printed(1, "invalidate", "--prefix", "/nowhere", "--dry-run"), /^prefix \/nowhere: 0 pages$/m);
  assert.equal((await isr.fetch(made)).isr, "HIT");
});

test("the routes of the deployment are listed", async () => {
  const text = await printed(0, "routes");
  assert.match(text, /^ROUTE +FRESH FOR +STALE FOR +SHARDS /);
  assert.match(text, /^\/blog\/\[slug\] +5 min +7 d +4 /m);
  const { routes } = await json("routes");
  assert.equal(routes.find(({ pattern }) => pattern === "/article").revalidate, false);
});

test("decisions are followed: those of the past, and each new one", async () => {
  const made = await page("followed");
  const past = await printed(0, "tail", "--once", "--last", "1000", "--shard", "/lab/[name]#0");
  assert.match(past, /^\d\d:\d\d:\d\d published +http:\/\/isr\.test\/lab\/followed .*\[\/lab\/\[name\]#0\]$/m);

  const env = { PATH: process.env.PATH, HOME: home, ISR_URL: isr.address, ISR_ADMIN_TOKEN: adminToken };
  const tail = spawn(path.join(folder, "isr"), ["tail", "--json", "--last", "1"], { env, stdio: ["ignore", "pipe", "inherit"] });
  let lines = "";
  tail.stdout.setEncoding("utf8").on("data", (text) => (lines += text));
  try {
    await until("the past", () => lines.includes("\n"));
    await isr.revalidate({ path: made });
    await until("the invalidation", () => /"kind":"invalidated"/.test(lines));
    const decisions = lines.trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(new Set(decisions.map(({ shard, seq }) => `${shard} ${seq}`)).size, decisions.length, "each once");
  } finally {
    tail.kill();
  }
});

test("the live screen needs a terminal", async () => {
  assert.match(await printed(2, "top"), /needs a terminal/);
});

test("an eager refresh is waited for, page by page", async () => {
  const made = await page("eager");
  const before = await isr.renders("eager");
  await printed(0, "invalidate", "--path", made, "--eager", "--wait");
  assert.ok((await isr.renders("eager")) > before);
});

test("health is an exit code", async () => {
  assert.match(await printed(0, "status"), /^healthy: asked 1 tag index object and /);
  await isr.trouble({ tagIndex: "throws" });
  const text = await printed(1, "status");
  const { code, stdout } = await command("status", "--json");
  await isr.trouble({});
  assert.match(text, /^unhealthy: .*\n\nPROBLEM +WHAT IS WRONG\n/);
  assert.match(text, /^tag_index_unreachable /m);
  assert.deepEqual([code, JSON.parse(stdout).healthy], [1, false]);
});

test("an invalidation that is not recorded is a failure", async () => {
  await isr.trouble({ tagIndex: "throws" });
  const text = await printed(5, "invalidate", "--tag", "cli:lost");
  await isr.trouble({});
  assert.match(text, /503: the invalidation could not be recorded/);
});

test("mistakes are named, and nothing is sent", async () => {
  for (const [args, message] of [
    [[], /Usage: isr/],
    [["statuss"], /unrecognized subcommand/],
    [["invalidate"], /name what to invalidate/],
    [["invalidate", "--path", "/a?b"], /without query/],
    [["invalidate", "--tag", "a", "--mode", "soft"], /expire, stale, purge/],
    [["invalidate", "--tag", "a", "--timeout", "5"], /--wait/],
    [["tags", "a", "--limit", "1001"], /from 1 to 1000/],
    [["why", "blog"], /give a URL, or a path/],
    [["why", "/", "--detail", "unheard-of"], /a word of `Cache-Status`/],
    [["status", "--url", "http://example.com"], /Write https/],
    [["status", "--url", "example.com"], /absolute URL/],
    [["status", "--profile", "nowhere"], /no profile "nowhere"/],
    [["check", "nowhere.toml"], /can't be read/],
  ]) {
    const { code, stderr } = await command(...args);
    assert.deepEqual([code, message.test(stderr)], [2, true], `${args.join(" ")}: ${stderr}`);
  }
  const { code, stderr } = await command("invalidate", "--json");
  assert.deepEqual([code, JSON.parse(stderr).error.code], [2, "usage"]);
});

test("a token that is missing or wrong, and a deployment that is not there", async () => {
  const isrProgram = path.join(folder, "isr");
  for (const token of ["wrong", ""]) {
    const { code, stderr } = await run(isrProgram, ["status"], { ISR_ADMIN_TOKEN: token });
    assert.deepEqual([code, /ISR_ADMIN_TOKEN/.test(stderr)], [3, true], stderr);
  }
  const { code, stderr } = await command("status", "--token", "secret of the arguments", "--json");
  assert.deepEqual([code, /secret of/.test(stderr)], [2, false], stderr);
  const nobody = await command("status", "--url", "http://127.0.0.1:9");
  assert.deepEqual([nobody.code, /could not be reached/.test(nobody.stderr)], [4, true], nobody.stderr);
  const site = await command("status", "--url", isr.address, "--token", "wrong");
  assert.equal(site.code, 3);
});

test("a deployment without the secret says that its calls are off", async () => {
  const closed = await start({ bindings: { ISR_ADMIN_TOKEN: undefined } });
  const { code, stderr } = await command("status", "--url", closed.address);
  assert.deepEqual([code, /is not set, which switches the calls off/.test(stderr)], [5, true], stderr);
  await closed.kill();
});

test("a profile names a deployment and the variable with its token", async () => {
  const file = path.join(home, ".config/isr/config.toml");
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `[profiles.default]\nurl = "${isr.address}"\n\n[profiles.other]\nurl = "${isr.address}"\ntoken_env = "OTHER"\n`);
  const program = path.join(folder, "isr");
  assert.equal((await run(program, ["status"], { ISR_URL: "" })).code, 0);
  assert.equal((await run(program, ["status", "--profile", "other"], { OTHER: adminToken, ISR_ADMIN_TOKEN: "wrong" })).code, 0);
  const unset = await run(program, ["status", "--profile", "other"]);
  assert.deepEqual([unset.code, /OTHER/.test(unset.stderr)], [2, true], unset.stderr);
});

test("a configuration is checked before it is deployed", async () => {
  assert.equal(await printed(0, "check"), "wrangler.toml: no problem\n".replace("wrangler", "./wrangler"));
  const text = await readFile(path.join(root, "wrangler.toml"), "utf8");
  const wrong = path.join(await newFolder(), "wrangler.toml");
  await writeFile(wrong, text.replace("revalidate = 30", "revalidat = 30").replace('binding = "ISR_CACHE"', 'binding = "CACHE"'));
  const told = await printed(2, "check", path.dirname(wrong));
  const line = text.split("\n").indexOf("revalidate = 30") + 1;
  assert.ok(told.includes(`line ${line}: ISR.routes."/".revalidat: no setting has this name`), told);
  assert.match(told, /^ISR_CACHE: this KV binding is missing/m);
});

test("completions are printed for each shell", async () => {
  for (const shell of ["bash", "elvish", "fish", "powershell", "zsh"]) assert.match(await printed(0, "completions", shell), /invalidate/);
});

/** The commands of the document: what stands behind "sh" is "cli" and the name of the command. */
test("each command of docs/operating.md works as it is written", async () => {
  await page("hello", { "Cache-Tag": "post:42" });
  const text = await readFile(path.join(root, "docs/operating.md"), "utf8");
  const calls = [...text.matchAll(/^```sh cli ([\w-]+)\n([^]*?)^```$/gm)];
  assert.ok(calls.length >= 6);
  for (const [, name, call] of calls) {
    // The tests have a lab and no blog.
    const { code, stdout, stderr } = await run("sh", ["-c", call.replaceAll("/blog/hello", url("/lab/hello"))]);
    assert.equal(code, 0, `${name}: ${stdout}${stderr}`);
  }
});
