/** What operators ask: explanations of pages, the health of a deployment, and each call of docs/operating.md. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";

import { adminToken, config, host, newFolder, root, start, until } from "./harness.mjs";

/** A Worker that is bound to the gateway and its objects. */
const caller = {
  name: "caller",
  modules: true,
  compatibilityDate: "2026-11-01",
  serviceBindings: { GATEWAY: "cloudflare-isr" },
  durableObjects: { COORDINATOR: { className: "IsrCoordinator", scriptName: "cloudflare-isr", useSQLite: true } },
  script: `export default {
    async fetch(request, env) {
      const { object, args } = await request.json();
      try {
        return Response.json({ value: await (object ? env.COORDINATOR.getByName(object) : env.GATEWAY).explain(...args) });
      } catch (error) {
        return Response.json({ thrown: { code: error.code, message: error.message } });
      }
    },
  }`,
};

const authorization = `Bearer ${adminToken}`;
const url = (path) => `http://${host}${path}`;
let isr;

before(async () => {
  const settings = config({ pass_ttl: 600 }, { "/lab/[name]": { query: ["page"] }, "/never": { revalidate: 0 }, "/named/*": {} });
  isr = await start({ isr: settings, workers: [caller], troubled: true });
});

function ask(path, query, init = {}) {
  return isr.fetch(`/__isr/${path}?${new URLSearchParams(query)}`, { headers: { authorization }, ...init });
}

async function explain(path, query = {}) {
  const { status, json, text } = await ask("explain", { url: url(path), ...query });
  assert.equal(status, 200, text);
  return json;
}

/** Sets a page up, and renders it once. */
async function page(name, behaviour = {}) {
  const path = await isr.lab(name, { ...behaviour, headers: { "X-ISR-Revalidate": "300", ...behaviour.headers } });
  await isr.fetch(path);
  return path;
}

test("a fresh page: its times, for people and for programs", async () => {
  const path = await page("fresh", { headers: { "Cache-Tag": "post:42" } });
  await until("L1 to have it", async () => (await isr.fetch(path)).isr === "HIT");
  const { explanation, facts } = await explain(path);
  assert.match(explanation, /^Fresh until \d\d:\d\d:\d\d UTC: rendered \d\d:\d\d:\d\d, fresh for 5 min\. No invalidation matched\. A request here gets HIT/);
  assert.deepEqual([facts.key, facts.route.pattern, facts.shard, facts.l1.holds], [url(path), "/lab/[name]", "/lab/[name]#0", "page"]);
  assert.equal(Date.parse(facts.page.freshUntilUtc), facts.page.freshUntil);
  assert.deepEqual(facts.request, { status: "HIT", reason: null });
  assert.equal(facts.feed.isCurrent, true);
});

test("a stale page whose renders fail: what failed, and when the next attempt is", async () => {
  const path = await page("failing", { headers: { "X-ISR-Revalidate": "1" } });
  await isr.lab("failing", { status: 503 });
  await until("the failure", async () => {
    await isr.fetch(path);
    return (await explain(path)).facts.page.failures > 0;
  });
  const { explanation, facts } = await explain(path);
  assert.match(explanation, /^Stale since \d\d:\d\d:\d\d UTC: rendered \d\d:\d\d:\d\d, fresh for 1 s\. No invalidation matched\. The last (render|\d+ renders) failed.* \d\d:\d\d:\d\d \(503\)/);
  assert.deepEqual([facts.page.unpublished.reason, facts.page.unpublished.detail], ["site-error", "status 503"]);
  assert.deepEqual(facts.request, { status: "STALE", reason: "aged" });
  const answer = await isr.fetch(path);
  assert.deepEqual([answer.isr, answer.cacheStatus.detail], ["STALE", "aged"], "as the explanation says");
});

test("an invalidated page: by what", async () => {
  const path = await page("edited", { headers: { "Cache-Tag": "post:43" } });
  await isr.lab("edited", { delay_ms: 60_000 });
  const { json } = await isr.revalidate({ tag: "post:43", mode: "stale" });
  const { explanation } = await explain(path);
  assert.match(explanation, new RegExp(`^Stale since .*: invalidated by tag post:43 \\(number ${json.invalidations[0].seq}, mode stale\\); rendered`));
  assert.match(explanation, /A request here gets STALE \(invalidated\)\.$/);
});

test("a page that may not be stored: which header, in the explanation and in each answer", async () => {
  const path = await page("private", { headers: { "Set-Cookie": "session=secret", "X-ISR-Revalidate": undefined } });
  for (let visit = 0; visit < 3; visit++) {
    const answer = await isr.fetch(path);
    assert.deepEqual([answer.isr, answer.cacheStatus.detail], ["SKIP", "set-cookie"], `visit ${visit}`);
  }
  const { explanation, facts } = await explain(path);
  assert.match(explanation, /^Not stored, and passed to the origin until .*\(set-cookie: session\)\. A request here gets SKIP \(set-cookie\)\.$/);
  assert.doesNotMatch(JSON.stringify(facts), /secret/);
});

test("URLs without a page, and words of a response", async () => {
  assert.match((await explain("/editor")).explanation, /^No route matches/);
  assert.match((await explain("/__isr/inspect")).explanation, /belongs to the cache itself/);
  assert.match((await explain("/never")).explanation, /`revalidate = 0`/);
  assert.match((await explain("/named/page?other=1")).explanation, /query parameter that the route does not name/);
  const unknown = await explain("/lab/never-asked-for", { detail: "queue-full" });
  assert.match(unknown.explanation, /^Not stored: the coordinator knows nothing of the page\. A request here gets MISS\. `queue-full` means: Too many renders wait/);
  assert.equal(await isr.renders("never-asked-for"), 0, "an explanation renders nothing");
});

test("by RPC: the same, from the gateway and its objects", async () => {
  const rpc = async (object, ...args) => (await isr.ask("caller", "/", { method: "POST", body: JSON.stringify({ object, args }) })).json;
  for (const object of [undefined, "/lab/[name]#0"]) {
    const { value } = await rpc(object, url("/lab/private"), { detail: null });
    assert.match(value.explanation, /set-cookie/);
    const { thrown } = await rpc(object, "/lab/private");
    assert.deepEqual([thrown.code, /absolute `url`/.test(thrown.message)], ["invalid_argument", true]);
  }
});

test("wrong tokens, methods and arguments are refused", async () => {
  for (const path of ["explain", "health"]) {
    for (const headers of [{}, { authorization: "Bearer wrong" }]) {
      const refused = await ask(path, { url: url("/") }, { headers });
      assert.deepEqual([refused.status, refused.json.error.code], [401, "unauthorized"]);
      assert.doesNotMatch(refused.text, /explanation|healthy/);
    }
    const posted = await ask(path, {}, { method: "POST" });
    assert.deepEqual([posted.status, posted.headers.get("allow")], [405, "GET"]);
  }
  for (const [query, message] of [
    [{}, /absolute `url`/],
    [{ url: "/lab/fresh" }, /absolute `url`/],
    [{ url: url("/"), detail: "unheard-of" }, /a word of `Cache-Status`/],
    [{ path: "/" }, /unknown field "path"/],
  ]) {
    const { status, json } = await ask("explain", query);
    assert.deepEqual([status, json.error.code], [400, "invalid_argument"]);
    assert.match(json.error.message, message);
  }
});

test("a healthy deployment, and each trouble", async () => {
  const healthy = await ask("health");
  assert.deepEqual([healthy.status, healthy.json.healthy, healthy.json.problems], [200, true, []]);
  assert.equal(healthy.json.checked.tagIndexes, 1);
  assert.ok(healthy.json.checked.coordinators >= 1 && healthy.json.checked.coordinators <= 16);
  assert.equal(healthy.headers.get("cache-control"), "no-store");
  for (const [trouble, code] of [[{ tagIndex: "throws" }, "tag_index_unreachable"], [{ coordinator: "throws" }, "coordinator_unreachable"]]) {
    await isr.trouble(trouble);
    const { status, json } = await ask("health");
    await isr.trouble({});
    assert.deepEqual([status, json.healthy], [503, false]);
    assert.ok(json.problems.some((problem) => problem.code === code), JSON.stringify(json));
  }
});

test("a deployment without a binding says so, to the holder of the token", async () => {
  const broken = await start({ kv: [] });
  const told = await broken.fetch("/__isr/health", { headers: { authorization } });
  assert.deepEqual([told.status, told.json.problems[0].code], [503, "misconfigured"]);
  assert.match(told.json.problems[0].message, /ISR_CACHE/);
  assert.equal((await broken.fetch("/__isr/health")).status, 500);
});

test("an open circuit breaker is a problem", async () => {
  for (let n = 0; n < 12; n++) await isr.fetch(await isr.lab(`broken-${n}`, { status: 500 }));
  const { status, json } = await ask("health");
  const open = json.problems.find(({ code }) => code === "breaker_open");
  assert.deepEqual([status, /\/lab\/\[name\]#0/.test(open?.message)], [503, true], JSON.stringify(json));
});

/** The calls of the document: what stands behind "sh" is "operating" and the name of the call. */
test("each call of docs/operating.md works as it is written", async () => {
  const text = await readFile(path.join(root, "docs/operating.md"), "utf8");
  const calls = [...text.matchAll(/^```sh operating ([\w-]+)\n([^]*?)^```$/gm)];
  assert.ok(calls.length >= 6);
  const folder = await newFolder();
  await writeFile(path.join(folder, ".curlrc"), `silent\nheader = "Host: ${host}"\n`);
  await isr.revalidate({ tag: "post:42" });
  for (const [, name, call] of calls) {
    const command = call.replaceAll("=https://example.com", `=http://${host}`).replaceAll("https://example.com", isr.address);
    const env = { PATH: process.env.PATH, CURL_HOME: folder, ISR_ADMIN_TOKEN: adminToken };
    const { stdout } = await promisify(execFile)("sh", ["-c", command], { env });
    const answer = JSON.parse(stdout);
    assert.equal(answer.error, undefined, `${name}: ${stdout}`);
  }
});
