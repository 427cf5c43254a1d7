/** The npm package, installed from the packed file as by its users. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";

import Ajv from "ajv";
import { unstable_readConfig } from "wrangler";

import { pieces } from "./documents.mjs";
import { newFolder, root, until } from "./harness.mjs";
import { dev, install, run, wrangler } from "./program.mjs";

const target = process.env.CARGO_TARGET_DIR ?? path.join(root, "target");

/** A folder with the package, and the folder of the package in it. */
let project, installed;
before(async () => {
  const [packed] = (await readdir(path.join(target, "npm"))).filter((name) => name.endsWith(".tgz"));
  project = await newFolder();
  await writeFile(path.join(project, "package.json"), '{ "private": true, "type": "module" }');
  installed = await install(project, path.join(target, "npm", packed));
});

/** Writes files, by their paths in the project. */
async function write(files) {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(project, file)), { recursive: true });
    await writeFile(path.join(project, file), text);
  }
}

/** Compiles the project's folder of this name strictly, with the runtime's types. JavaScript need not say what its arguments are. */
async function compile(folder) {
  const configuration = JSON.parse(await readFile(path.join(root, "tests/package/tsconfig.json"), "utf8"));
  Object.assign(configuration.compilerOptions, folder.endsWith("-js") && { allowJs: true, checkJs: true, noImplicitAny: false });
  await write({ [`${folder}/tsconfig.json`]: JSON.stringify({ ...configuration, include: ["*"] }) });
  const types = path.join(project, "node_modules/@cloudflare");
  await symlink(path.join(root, "node_modules/@cloudflare"), types).catch((error) => assert.equal(error.code, "EEXIST"));
  await run(path.join(root, "node_modules/.bin/tsc"), ["-p", folder], { cwd: project });
}

const gateway = `
name = "gateway"
main = "index.js"
compatibility_date = "2026-11-01"
services = [{ binding = "ORIGIN", service = "site" }]
kv_namespaces = [{ binding = "ISR_CACHE" }]
durable_objects.bindings = [{ name = "COORDINATOR", class_name = "IsrCoordinator" }, { name = "TAG_INDEX", class_name = "IsrTagIndex" }]
migrations = [{ tag = "v1", new_sqlite_classes = ["IsrCoordinator", "IsrTagIndex"] }]

[vars.ISR.routes."/post/[slug]"]
`;

const site = `
import { isIsrError } from "cloudflare-isr";

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/post/")) {
      return new Response(crypto.randomUUID(), { headers: { "cache-tag": \`post:\${pathname.slice(6)}\` } });
    }
    try {
      return Response.json(await env.GATEWAY.revalidateTag(decodeURIComponent(pathname.slice(1))));
    } catch (error) {
      return Response.json({ isIsrError: isIsrError(error), code: error.code }, { status: 400 });
    }
  },
};
`;

test("each export is there, with its types, and nothing else is packed but what belongs to it", async () => {
  const { exports, bin, version } = JSON.parse(await readFile(path.join(installed, "package.json"), "utf8"));
  for (const manifest of ["Cargo.toml", "cli/Cargo.toml"]) {
    const cargo = await readFile(path.join(root, manifest), "utf8");
    assert.ok(cargo.includes(`\nversion = "${version}"`), "the crates and the package have one version");
  }
  const named = Object.values(exports).flatMap((each) => (typeof each === "string" ? [each] : Object.values(each)));
  for (const file of [...named, ...Object.values(bin)]) assert.ok((await readFile(path.join(installed, file))).length > 0, file);
  assert.deepEqual((await readdir(installed)).sort(), ["LICENSE", "README.md", "bin", "dist", "openapi.json", "package.json", "schema.json"]);
  const ours = await readFile(path.join(root, "LICENSE"), "utf8");
  assert.equal(await readFile(path.join(installed, "LICENSE"), "utf8"), ours);
});

test("a gateway is one line, could be deployed, and serves a site, which invalidates by RPC", { timeout: 180_000 }, async (t) => {
  await write({
    "gateway/index.js": 'export { default, IsrCoordinator, IsrTagIndex } from "cloudflare-isr/gateway";\n',
    "gateway/wrangler.toml": gateway,
    "site/index.js": site,
    "site/wrangler.toml": `
name = "site"
main = "index.js"
compatibility_date = "2026-11-01"
services = [{ binding = "GATEWAY", service = "gateway" }]
`,
  });
  const { stdout } = await run(wrangler, ["deploy", "--dry-run", "-c", "gateway/wrangler.toml"], { cwd: project });
  assert.match(stdout, /env\.COORDINATOR \(IsrCoordinator\)/);

  const visit = await dev(t, project, ["gateway/wrangler.toml", "site/wrangler.toml"]);
  const [a, b] = [await visit("/post/a"), await visit("/post/b")];
  assert.deepEqual([a.isr, b.isr], ["MISS", "MISS"], a.text);
  const again = await visit("/post/a");
  assert.deepEqual([again.isr, again.text], ["HIT", a.text]);
  const receipt = JSON.parse((await visit("/post:a")).text);
  assert.deepEqual(
    { ...receipt, seq: 0 },
    { seq: 0, tag: "post:a", mode: "expire", refresh: "lazy", pages: { matched: 1 }, shards: { applied: 1, pending: 0 } },
  );
  const [newA, sameB] = [await visit("/post/a"), await visit("/post/b")];
  assert.deepEqual([newA.isr, sameB.isr, sameB.text], ["MISS", "HIT", b.text]);
  assert.notEqual(newA.text, a.text);
  const wrong = await visit("/a%2Cb");
  assert.deepEqual([wrong.status, JSON.parse(wrong.text)], [400, { isIsrError: true, code: "invalid_argument" }]);
});

/** A site made as adapters make it: it looks its own pages up, and tells in each what it was rendered for. */
const adapted = `
import { createPagePolicy, serve } from "cloudflare-isr";

export default {
  async fetch(request, env, ctx) {
    const policy = createPagePolicy();
    const { pathname, search } = new URL(request.url);
    const render = async () => {
      if (request.method === "POST") return Response.json(await env.ISR.revalidateTag(await request.text()));
      if (pathname === "/post/slow") await scheduler.wait(1500);
      if (pathname === "/post/broken") return new Response(crypto.randomUUID(), { status: 500 });
      policy.defaults({ revalidate: 300, tags: ["posts"] });
      policy.set(pathname === "/post/personal" ? { revalidate: 0 } : { tags: ["tag-of-" + pathname.slice(6)] });
      const body = { id: crypto.randomUUID(), search, cookie: request.headers.get("cookie") };
      return Response.json(body, { headers: { "set-cookie": "session=new" } });
    };
    return serve({ request, env, ctx, policy, render });
  },
};
`;

test("a site that looks its own pages up needs no gateway in front, and shares nothing of a visitor's", { timeout: 180_000 }, async (t) => {
  await write({
    "bound/gateway/index.js": 'export { default, IsrCoordinator, IsrTagIndex } from "cloudflare-isr/gateway";\n',
    "bound/gateway/wrangler.toml": gateway.replace('service = "site" }', 'service = "adapted" }, { binding = "ORIGIN_RENDER", service = "adapted", props = { isr = "render" } }'),
    "bound/gateway/.dev.vars": 'ISR_BYPASS_TOKEN = "draft"\n',
    "bound/adapted/index.js": adapted,
    "bound/adapted/wrangler.toml": `
name = "adapted"
main = "index.js"
compatibility_date = "2026-11-01"
services = [{ binding = "ISR", service = "gateway" }]
`,
  });
  const visit = await dev(t, path.join(project, "bound"), ["adapted/wrangler.toml", "gateway/wrangler.toml"]);
  const cookie = (value) => ({ headers: { cookie: `visitor=${value}` } });

  const first = await visit("/post/a?made=up", cookie("first"));
  assert.deepEqual([first.status, first.isr], [200, "MISS"], first.text);
  assert.partialDeepStrictEqual(JSON.parse(first.text), { search: "", cookie: null });
  const told = Object.fromEntries(["x-isr-revalidate", "cache-tag", "set-cookie", "cache-control"].map((name) => [name, first.headers.get(name)]));
  assert.deepEqual(told, { "x-isr-revalidate": null, "cache-tag": null, "set-cookie": null, "cache-control": "public, max-age=0, must-revalidate" });
  const second = await until("a HIT", async () => {
    const answer = await visit("/post/a", cookie("second"));
    return answer.isr === "HIT" && answer;
  });
  assert.equal(second.text, first.text);

  // By the page's own tag, and by its layout's.
  for (const tag of ["tag-of-a", "posts"]) {
    const receipt = JSON.parse((await visit("/", { method: "POST", body: tag })).text);
    assert.deepEqual([receipt.tag, receipt.pages.matched], [tag, 1]);
    assert.equal((await visit("/post/a")).isr, "MISS");
    await until("a HIT", async () => (await visit("/post/a")).isr === "HIT");
  }
  const head = await visit("/post/a", { method: "HEAD" });
  assert.deepEqual([head.status, head.isr, head.text], [200, "HIT", ""]);

  // Simultaneous requests share one render, no matter which of them holds the lease.
  const together = await Promise.all(Array.from({ length: 10 }, () => visit("/post/together")));
  assert.equal(new Set(together.map(({ text }) => text)).size, 1);

  // An opted-out page is each visitor's own, from the first on.
  for (const visitor of ["first", "second"]) {
    const personal = await visit("/post/personal", cookie(visitor));
    assert.deepEqual([personal.isr, JSON.parse(personal.text).cookie], ["SKIP", `visitor=${visitor}`]);
    assert.equal(personal.headers.get("set-cookie"), "session=new");
  }

  // A visitor who leaves does not take the lease with him.
  await assert.rejects(visit("/post/slow", { signal: AbortSignal.timeout(700) }), { name: "TimeoutError" });
  const stays = await visit("/post/slow", { signal: AbortSignal.timeout(10_000) });
  assert.equal(stays.status, 200);
  assert.equal((await visit("/post/slow")).text, stays.text);

  const draft = await visit("/post/a", { headers: { "x-isr-bypass": "draft", cookie: "editor" } });
  assert.deepEqual([draft.isr, draft.headers.get("cache-control"), JSON.parse(draft.text).cookie], ["BYPASS", "private, no-store", "editor"]);

  // A page that fails is left alone for a while: its last words are the answer.
  const broken = await visit("/post/broken");
  assert.equal(broken.status, 500);
  await until("it is left alone", async () => (await visit("/post/broken")).text === broken.text);
  // Not a page of the cache: the site's own answer, as it is.
  const other = await visit("/other", cookie("first"));
  assert.deepEqual([other.status, other.isr, JSON.parse(other.text).cookie], [200, null, "visitor=first"]);
});

test("the types are those of the runtime, and find mistakes", { timeout: 60_000 }, async () => {
  await write({ "types/types.ts": await readFile(path.join(root, "tests/package/types.ts"), "utf8") });
  await compile("types");
});

for (const language of ["ts", "js"]) {
  test(`the code in the documentation compiles: ${language}`, { timeout: 60_000 }, async () => {
    const shown = await pieces(language);
    assert.ok(shown.length >= 4);
    const files = shown.map(({ place, text }) => [
      // Named after its place: the compiler's messages lead there. What is no module is a piece of a handler.
      `documents-${language}/${place.replaceAll(/[^\w]+/g, "-")}.${language}`,
      /^(im|ex)port /m.test(text) ? text : `export async function piece() {\n${text}}\n`,
    ]);
    const globals = await readFile(path.join(root, "tests/package/globals.d.ts"), "utf8");
    await write({ ...Object.fromEntries(files), [`documents-${language}/globals.d.ts`]: globals });
    await compile(`documents-${language}`);
  });
}

test("the schema agrees with the parser of the configuration, and with what the documentation shows", async () => {
  const isValid = new Ajv().compile(JSON.parse(await readFile(path.join(installed, "schema.json"), "utf8")));
  // Those that the parser is held beside: tests/schema.
  const samples = JSON.parse(await readFile(path.join(root, "tests/schema/samples.json"), "utf8"));
  for (const { name, config, valid } of samples) assert.equal(isValid(config), valid, `${name}: ${JSON.stringify(isValid.errors)}`);

  const shown = await pieces("toml");
  assert.ok(shown.length >= 4);
  let checked = 0;
  for (const { place, text } of shown) {
    const file = `shown/${place.replaceAll(/[^\w]+/g, "-")}/wrangler.toml`;
    await write({ [file]: /^name = /m.test(text) ? text : `name = "shown"\n${text}` });
    const { vars } = unstable_readConfig({ config: path.join(project, file) }, { hideWarnings: true });
    if (vars.ISR === undefined) continue;
    // A piece may be about something else than routes, without which there is no configuration.
    assert.ok(isValid({ routes: { "/": {} }, ...vars.ISR }), `${place}: ${JSON.stringify(isValid.errors)}`);
    checked += 1;
  }
  assert.ok(checked >= 2);
});

test("the program of this machine's platform is installed with the package, in a package of its own", async () => {
  const { version } = JSON.parse(await readFile(path.join(installed, "package.json"), "utf8"));
  const { stdout } = await run(path.join(project, "node_modules/.bin/cloudflare-isr"), ["--version"]);
  assert.equal(stdout, `isr ${version}\n`);
  const platform = `cli-${process.platform}-${process.arch}`;
  const manifest = JSON.parse(await readFile(path.join(project, "node_modules/@cloudflare-isr", platform, "package.json"), "utf8"));
  assert.deepEqual([manifest.version, manifest.os, manifest.cpu], [version, [process.platform], [process.arch]]);
});

/** The module that the package is by its name. */
const main = () => import(pathToFileURL(path.join(installed, "dist/index.js")).href);

test("a page policy takes the last lifetime of a page, else of a layout, and all tags", async () => {
  const { createPagePolicy, applyPagePolicy } = await main();
  for (const [calls, resolved] of [
    [[], null],
    [[["set", {}]], null],
    [[["defaults", { revalidate: 300, tags: ["nested"] }]], { revalidate: 300, tags: ["nested"] }],
    [[["set", { revalidate: 30, tags: ["a"] }], ["defaults", { revalidate: 300, tags: ["b", "a"] }]], { revalidate: 30, tags: ["a", "b"] }],
    [[["set", { revalidate: 30 }], ["set", { tags: ["a"] }], ["set", { revalidate: false }]], { revalidate: false, tags: ["a"] }],
    [[["defaults", { revalidate: 300 }], ["set", { revalidate: 0 }]], { revalidate: 0, tags: [] }],
    [[["defaults", { revalidate: 300 }], ["defaults", { revalidate: 60 }]], { revalidate: 60, tags: [] }],
  ]) {
    const policy = createPagePolicy();
    for (const [method, settings] of calls) policy[method](settings);
    assert.deepEqual(policy.resolve(), resolved, JSON.stringify(calls));
  }
  const policy = createPagePolicy();
  const headers = new Headers({ "cache-tag": "own" });
  applyPagePolicy(headers, policy);
  assert.deepEqual([...headers], [["cache-tag", "own"]]);
  policy.set({ revalidate: false, tags: ["a", "b"] });
  applyPagePolicy(headers, policy);
  assert.deepEqual([...headers], [["cache-tag", "own, a, b"], ["x-isr-revalidate", "false"]]);
  for (const wrong of [
    { revalidate: true }, { revalidate: -1 }, { revalidate: 1.5 }, { revalidate: "60" }, { tags: "a" }, { tags: [""] }, { tags: ["a,b"] },
    { tags: [" a"] }, { tags: ["a\nb"] }, { tags: ["x".repeat(16 * 1024 + 1)] }, { tags: [1] },
  ]) {
    assert.throws(() => policy.set(wrong), TypeError, JSON.stringify(wrong));
  }
  assert.deepEqual(policy.resolve(), { revalidate: false, tags: ["a", "b"] });
});

test("a page is plainly for all only if the cache does not keep it from anybody", async () => {
  const { isPlainlyForAll } = await import(pathToFileURL(path.join(installed, "dist/serve.js")).href);
  const cases = JSON.parse(await readFile(path.join(root, "tests/vectors/storable.json"), "utf8"));
  for (const { name, status, headers, authorized, plain } of cases) {
    const request = new Request("https://site.example.com/", { headers: authorized ? { authorization: "Basic a" } : {} });
    assert.equal(isPlainlyForAll({ status, headers: new Headers(headers) }, request), plain, name);
  }
});

test("a render is known by its signature, over method, path, query and time, for five minutes", async () => {
  const { isRender } = await main();
  const time = 1_800_000_000;
  const sign = (text, secret = "secret") => createHmac("sha256", secret).update(text).digest("hex");
  const header = `t=${time},v1=${sign(`${time}.GET./a%20b?c=d`)}`;
  const ask = ({ value = header, url = "https://site.example.com/a%20b?c=d", method = "GET", secret = "secret", now = time } = {}) =>
    isRender(new Request(url, { method, headers: value === null ? {} : { "x-isr-render": value } }), secret, now * 1000);
  // By another implementation: `printf '1700000000.GET./blog/hello?page=2' | openssl dgst -sha256 -hmac correct-horse`.
  const known = {
    value: "t=1700000000,v1=5fa39f9747144df94f05a776214689d985dfefd35ab8b04001b33514b3cd2d9e",
    url: "https://site.example.com/blog/hello?page=2", secret: "correct-horse", now: 1_700_000_000,
  };
  assert.equal(await ask(known), true);
  assert.equal(await ask(), true);
  assert.equal(await ask({ now: time + 300 }), true);
  assert.equal(await ask({ now: time - 300 }), true);
  assert.equal(await ask({ url: "http://other.example/a%20b?c=d" }), true, "the host is the proxy's to know");
  for (const changed of [
    { value: null }, { value: "" }, { value: header.replace("v1=", "v2=") }, { value: header.slice(0, -2) }, { value: `${header},v1=00` },
    { value: header.replace(/.$/, (last) => (last === "0" ? "1" : "0")) }, { value: header.replace(`t=${time}`, `t=${time + 1}`) },
    { value: `t=${time},v1=${sign(`${time}.GET./a%20b?c=d`, "other")}` },
    { url: "https://site.example.com/a%20b" }, { url: "https://site.example.com/a?c=d" }, { method: "POST" }, { secret: "other" }, { secret: "" },
    { now: time + 301 }, { now: time - 301 },
  ]) {
    assert.equal(await ask(changed), false, JSON.stringify(changed));
  }
});
