/** Mistakes in a deployment are reported for what they are, and gateways can stand behind each other. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { neighbour, start } from "../harness.mjs";
import { gatewayFor, originOf } from "./origin.mjs";

let origin;
before(async () => {
  origin = await originOf(({ url, headers }, response) => response.writeHead(200, { "content-type": "text/html" }).end(`${url} ${headers["cdn-loop"] ?? ""}`));
});

async function problemsOf(options) {
  const { status, json } = await (await start({ origin: null, ...options })).fetch("/a");
  assert.deepEqual([status, json.error.code], [500, "misconfigured"]);
  return json.error.problems;
}

for (const [name, isr, kv, expected] of [
  ['origin = "self"', { origin: "self", revalidate: -1, routes: { "/*": {} } }, undefined, [/revalidate/]],
  ["an origin by URL", { origin: "https://site.test", expire: "long", routes: { "/*": {} } }, undefined, [/expire/]],
  ["a malformed origin", { origin: "ftp://site.test", routes: { "/*": {} } }, undefined, [/origin/]],
  ['l2 = "r2" without a bucket', { origin: "self", l2: "r2", expire: -1, routes: { "/*": {} } }, [], [/expire/, /ISR_BUCKET/]],
  ["an origin by a name that is not bound", { origin: "SITE", expire: -1, routes: { "/*": {} } }, undefined, [/expire/, /SITE/]],
  ["no origin at all", { expire: -1, routes: { "/*": {} } }, undefined, [/expire/, /ORIGIN/]],
]) {
  test(`${name} and another mistake: only mistakes are reported`, async () => {
    const problems = await problemsOf({ isr, ...(kv && { kv }) });
    assert.equal(problems.length, expected.length, problems.join("\n"));
    for (const [n, pattern] of expected.entries()) assert.match(problems[n], pattern);
  });
}

test("classes without SQLite are a mistake in the configuration", async () => {
  const isr = await gatewayFor(origin, { sqlite: false });
  const { status, json, cacheStatus } = await isr.fetch("/a");
  assert.deepEqual([status, json.error.code, cacheStatus.detail], [500, "misconfigured", "misconfigured"]);
  assert.match(json.error.problems.join(), /new_sqlite_classes/);
});

test("a gateway behind another gateway is no loop, and a loop is one", async () => {
  const inner = await gatewayFor(origin);
  // Another deployment has other objects, and so another identity.
  const chain = await gatewayFor(origin, { workers: [neighbour("outer", { origin: inner.address, routes: { "/*": {} } })] });
  const outer = { fetch: (path, init) => chain.ask("outer", path, init) };
  const chained = await outer.fetch("/a");
  assert.deepEqual([chained.status, chained.text.split(" ")[0]], [200, "/a"]);
  // A visitor's own request as well.
  const posted = await outer.fetch("/a", { method: "POST", body: "x" });
  assert.deepEqual([posted.status, [...posted.text.matchAll(/cloudflare-isr; id=/g)].length], [200, 2]);
  const [, own] = /cloudflare-isr; (id=[0-9a-f]+)$/.exec(posted.text) ?? [];
  for (const [value, status] of [
    [`cloudflare-isr; ${own}`, 508],
    [`other, cloudflare-isr;${own}`, 508],
    ["cloudflare-isr; id=0123", 200],
    ["cloudflare-isr", 200],
    ["cloudflare; loops=1", 200],
  ]) {
    assert.equal((await inner.fetch("/b", { headers: { "cdn-loop": value } })).status, status, value);
  }
});
