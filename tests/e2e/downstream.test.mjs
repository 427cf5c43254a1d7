/** Downstream caches of the platform: the headers that they get, and their purges after invalidations. */
import assert from "node:assert/strict";
import http from "node:http";
import { after, test } from "node:test";

import { adminToken, bypassToken, colo, config, host, newFolder, start, until } from "./harness.mjs";

const zone = "023e105f4ecef8ad9ca31a8372d0c353";
const inFront = { platform_cache: true, canonical_origin: `http://${host}` };
const everything = "isr:everything";

const control = (answer) => answer.headers.get("cloudflare-cdn-cache-control");
const tags = (answer) => answer.headers.get("cache-tag")?.split(",");

/** A zone's purge API with a configurable answer: a status, or "dies". */
class Api {
  /** What was asked for: `{ url, authorization, tags, at, answer }`. */
  asked = [];
  answers = [];

  static async start() {
    const api = new Api();
    api.server = http.createServer((request, response) => api.#answer(request, response));
    await new Promise((listening) => api.server.listen(0, "127.0.0.1", listening));
    servers.push(api.server);
    return api;
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  async #answer(request, response) {
    const answer = this.answers.shift() ?? { status: 200 };
    const chunks = await request.toArray();
    const { tags, ...more } = JSON.parse(Buffer.concat(chunks).toString());
    const { url, method, headers } = request;
    assert.deepEqual(more, {});
    this.asked.push({ url: `${method} ${url}`, authorization: headers.authorization, tags, at: performance.now(), answer });
    if (answer.dies) return request.socket.destroy();
    const success = answer.success ?? answer.status === 200;
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(JSON.stringify({ success, errors: success ? [] : [{ code: 1, message: "no" }] }));
  }

  /** Returns the tags of all purges that the API has taken. */
  get purged() {
    return this.asked.filter(({ answer }) => answer.status === 200 && answer.success !== false).flatMap(({ tags }) => tags);
  }
}

const servers = [];
after(() => servers.forEach((server) => server.close()));

const withZone = (api, isr = {}) => ({
  isr: config({ ...inFront, zone_purge: zone, freshness_bound: 0, ...isr }),
  bindings: { ISR_PURGE_TOKEN: "token-of-the-zone", ISR_PURGE_API: api.url },
});

/** Asks what has come of an invalidation. */
async function progress(isr, seq) {
  const headers = { authorization: `Bearer ${adminToken}` };
  return (await isr.fetch(`/__isr/invalidations/${seq}`, { headers })).json;
}

async function invalidate(isr, what) {
  const { status, json } = await isr.revalidate(what);
  assert.equal(status, 200);
  return json.invalidations.map(({ seq }) => seq);
}

test("without `platform_cache` nothing is said to a cache in front", async () => {
  const isr = await start();
  const path = await isr.lab("off", { headers: { "Cache-Tag": "a", "CDN-Cache-Control": "max-age=300" } });
  for (const status of ["MISS", "HIT", "HIT"]) {
    const answer = await isr.fetch(path);
    assert.deepEqual([answer.isr, control(answer), tags(answer)], [status, null, undefined]);
    assert.ok(answer.headers.has("age") && !answer.headers.has("cdn-cache-control"));
  }
});

test("a HIT may be kept in front for what is left of its life, and nothing else may", async () => {
  const isr = await start({ isr: config(inFront, { "/lab/told": { tags: ["of-the-route"] } }) });
  const path = await isr.lab("told", { headers: { "X-ISR-Revalidate": "6", "Cache-Tag": "a, b" } });
  const miss = await isr.fetch(path);
  assert.deepEqual([miss.isr, control(miss), tags(miss)], ["MISS", "no-store", undefined]);
  for (let n = 0; n < 3; n++) {
    const hit = await isr.fetch(path);
    const [, maxAge, stale, error] = control(hit).match(/^max-age=(\d+), stale-while-revalidate=(\d+), stale-if-error=(\d+)$/);
    assert.equal(hit.isr, "HIT");
    assert.ok(maxAge >= 1 && Number(maxAge) <= hit.cacheStatus.ttl, `${maxAge} of ${hit.cacheStatus.ttl}`);
    assert.deepEqual([Number(stale), Number(error), hit.headers.get("age")], [86_400, 86_400, null]);
    assert.equal(hit.headers.get("cache-control"), "public, max-age=0, must-revalidate");
    const carried = tags(hit);
    assert.deepEqual(carried.filter((tag) => !tag.startsWith("isr:")), ["a", "b", "of-the-route"]);
    const kinds = carried.filter((tag) => tag.startsWith("isr:")).map((tag) => tag.split(":")[1]);
    assert.deepEqual(kinds, ["everything", "path", "route", "prefix", "prefix", "prefix"]);
  }
  await isr.lab("told", { delay_ms: 500 });
  const stale = await isr.untilStatus(path, "STALE");
  assert.deepEqual([control(stale), tags(stale)], ["no-store", undefined]);

  const draft = await isr.fetch("/article", { headers: { "x-isr-bypass": bypassToken } });
  const skip = await isr.fetch("/private");
  const elsewhere = await isr.fetch("/lab-stats/told");
  const posted = await isr.fetch("/lab/told", { method: "POST", body: "{}" });
  const admin = await isr.fetch("/__isr/inspect");
  for (const answer of [draft, skip, elsewhere, posted, admin]) assert.equal(control(answer), "no-store");
  assert.deepEqual([draft.isr, skip.isr, elsewhere.isr], ["BYPASS", "SKIP", null]);
});

test("a zone without its token is a mistake that is named", async () => {
  const isr = await start({ isr: config({ ...inFront, zone_purge: zone }) });
  const answer = await isr.fetch("/");
  assert.equal(answer.status, 500);
  assert.match(answer.json.error.problems.join(), /ISR_PURGE_TOKEN: this secret is missing/);
});

test("a zone is purged of each target by a tag that its pages carry, through failures", async () => {
  const api = await Api.start();
  const isr = await start(withZone(api));
  const path = await isr.lab("scopes", { headers: { "X-ISR-Revalidate": "false", "Cache-Tag": "Post:1" } });
  await isr.fetch(path);
  const hit = await isr.untilStatus(path, "HIT");
  // With `freshness_bound = 0` the first purge comes at once, and the last six seconds later.
  api.answers = [{ status: 500 }, { dies: true }, { status: 200, success: false }, { status: 429, headers: { "retry-after": "3" } }];
  const seqs = await invalidate(isr, { path, tag: "Post:1", prefix: "/lab", route: "/lab/[name]" });
  assert.deepEqual((await progress(isr, seqs[0])).sinks, { platform_cache: "pending", zone_purge: "pending" });
  const isDone = ({ sinks }) => sinks.zone_purge === "done" && sinks.platform_cache === "done";
  for (const seq of seqs) await until("the end", async () => isDone(await progress(isr, seq)), { timeout: 30_000 });
  for (const { url, authorization } of api.asked) {
    assert.deepEqual([url, authorization], [`POST /zones/${zone}/purge_cache`, "Bearer token-of-the-zone"]);
  }
  const limited = api.asked.findIndex(({ answer }) => answer.status === 429);
  const pause = api.asked[limited + 1].at - api.asked[limited].at;
  assert.ok(limited === 3 && pause >= 2900, `${pause} ms after the 429`);
  const purged = new Set(api.purged);
  assert.equal(purged.size, 4);
  for (const tag of purged) assert.ok(tags(hit).includes(tag), `${tag} is carried by the page`);
  assert.ok(isr.logs.some((line) => /zone purge: the API answered 500/.test(line)));
});

test("many that wait are purged together, at most a hundred tags at a time", async () => {
  const api = await Api.start();
  const isr = await start(withZone(api));
  await isr.fetch("/");
  api.answers = [{ status: 429, headers: { "retry-after": "4" } }];
  const names = Array.from({ length: 150 }, (_, n) => `t${n}`);
  const before = performance.now();
  await invalidate(isr, { tag: "first" });
  await until("the 429", () => api.asked.length === 1);
  await invalidate(isr, { tags: names.slice(0, 100) });
  await invalidate(isr, { tags: names.slice(50) });
  assert.ok(performance.now() - before < 4000, "in time for the test");
  await until("all", () => names.every((name) => api.purged.includes(name)), { timeout: 20_000 });
  assert.ok(api.asked.every(({ tags }) => tags.length <= 100 && new Set(tags).size === tags.length));
  const firsts = api.asked.slice(0, 3).map(({ tags }) => tags.length);
  assert.deepEqual(firsts, [1, 100, 51], "first, then 151 names, each once");
});

test("what an edge that has not heard yet puts into the cache in front is purged as well", async () => {
  const api = await Api.start();
  const options = withZone(api, { freshness_bound: 3 });
  const second = colo("second-colo", options.isr);
  second.bindings = { ...second.bindings, ...options.bindings };
  const isr = await start({ ...options, workers: [second] });
  const path = await isr.lab("late", { headers: { "X-ISR-Revalidate": "false", "Cache-Tag": "late" } });
  await isr.fetch(path);
  const mayBeKept = (answer) => answer.isr === "HIT" && control(answer).startsWith("max-age=");
  await until("the second colo", async () => mayBeKept(await isr.ask("second-colo", path)));
  await invalidate(isr, { tag: "late" });
  await until("the first purge", () => api.asked.length === 1);

  let keptOld = 0;
  await until("the new page", async () => {
    const answer = await isr.ask("second-colo", path);
    if (mayBeKept(answer) && answer.render === 1) keptOld = performance.now();
    return mayBeKept(answer) && answer.render === 2;
  });
  assert.ok(keptOld > api.asked[0].at, "it is filled with the old page after the first purge");
  await until("the second purge", () => api.asked.length === 2);
  assert.ok(api.asked[1].at > keptOld, "and purged of it by the second");
  assert.deepEqual(api.purged, ["late", "late"]);
});

test("a purge that was not made when the runtime was killed is made after it", async () => {
  const api = await Api.start();
  const folder = await newFolder();
  const before = await start({ ...withZone(api), folder });
  await before.fetch("/");
  api.answers = Array.from({ length: 20 }, () => ({ dies: true }));
  const [seq] = await invalidate(before, { everything: true });
  await until("an attempt", () => api.asked.length >= 1);
  await before.kill();
  api.answers = [];

  const after = await start({ ...withZone(api), folder });
  await until("the purge", () => api.purged.includes(everything), { timeout: 20_000 });
  await until("the end", async () => (await progress(after, seq)).sinks.zone_purge === "done", { timeout: 20_000 });
});

test("the Worker's own cache is purged by its own entrypoint, and not by a visitor", async () => {
  const isr = await start({ isr: config({ ...inFront, freshness_bound: 0 }), main: ["tests/e2e/platform.mjs"] });
  const purges = async () => (await isr.fetch("/purges")).json;
  await isr.fetch("/purges", { method: "POST", body: JSON.stringify(["throws"]) });
  const [seq] = await invalidate(isr, { tag: "posts" });
  assert.equal((await progress(isr, seq)).sinks.platform_cache, "pending");
  await until("the end", async () => (await progress(isr, seq)).sinks.platform_cache === "done", { timeout: 20_000 });
  const expected = ["throws", "success", "success"].map((answer) => ({ tags: ["posts"], answer }));
  assert.deepEqual(await purges(), expected);

  const forged = await isr.fetch("/__isr/purge", { method: "POST", body: JSON.stringify([everything]) });
  assert.equal(forged.status, 404);
  assert.deepEqual(await purges(), expected);
});
