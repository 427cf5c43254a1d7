/** A page's way from MISS to HIT to STALE, in the client's view. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { config, newFolder, start, until } from "./harness.mjs";

let isr;
before(async () => (isr = await start({ isr: config({}, { "/lab/by-page": { query: ["page"], trailing_slash: "strip" } }) })));

test("the first visit is a MISS, the next one a HIT with the same bytes", async () => {
  const miss = await isr.fetch("/lab/first");
  assert.deepEqual([miss.status, miss.isr, miss.render], [200, "MISS", 1]);
  assert.deepEqual(miss.cacheStatus, { cache: "cloudflare-isr", fwd: "uri-miss", "fwd-status": 200, stored: true });

  const hit = await isr.fetch("/lab/first");
  assert.deepEqual([hit.status, hit.isr, hit.render], [200, "HIT", 1]);
  assert.deepEqual(hit.body, miss.body);
  const { ttl, ...rest } = hit.cacheStatus;
  assert.deepEqual(rest, { cache: "cloudflare-isr", hit: true });
  assert.ok(ttl >= 5 && ttl <= 10, `ttl=${ttl}`);
  assert.equal(await isr.renders("first"), 1);
});

test("headers tell a page's age, and ask browsers to ask", async () => {
  const { headers } = await isr.fetch("/lab/headers");
  const renderedAt = Date.parse(headers.get("x-rendered-at"));
  const hit = await until("a second of age", async () => {
    const answer = await isr.fetch("/lab/headers");
    return answer.headers.get("age") !== "0" && answer;
  });
  assert.deepEqual([hit.isr, hit.headers.get("age")], ["HIT", "1"]);
  assert.ok(Math.abs(Date.parse(hit.headers.get("x-isr-cache-date")) - renderedAt) <= 1000);
  assert.equal(hit.headers.get("cache-control"), "public, max-age=0, must-revalidate");
  assert.equal(hit.headers.get("content-type"), "text/html; charset=utf-8");
  const own = [...hit.headers.keys()].filter((name) => /isr|^cf-|-tag/.test(name));
  assert.deepEqual(own, ["x-isr-cache-date", "x-isr-status"], "nothing internal gets out");
});

test("a page past `revalidate` is served STALE once more, and replaced behind it", async () => {
  const path = await isr.lab("ageing", { headers: { "X-ISR-Revalidate": "2" } });
  const first = await isr.fetch(path);
  const stale = await isr.untilStatus(path, "STALE");
  assert.deepEqual([stale.render, stale.body], [1, first.body]);
  assert.ok(stale.cacheStatus.hit && stale.cacheStatus.ttl <= 0);

  const renewed = await isr.untilStatus(path, "HIT");
  assert.equal(renewed.render, 2);
  assert.notDeepEqual(renewed.body, first.body);
});

test("`revalidate = false` never ages: there is no ttl", async () => {
  await isr.fetch("/article");
  const { isr: status, cacheStatus } = await isr.fetch("/article");
  assert.deepEqual([status, cacheStatus], ["HIT", { cache: "cloudflare-isr", hit: true }]);

  const path = await isr.lab("for-ever", { headers: { "X-ISR-Revalidate": "false" } });
  await isr.fetch(path);
  assert.deepEqual((await isr.fetch(path)).cacheStatus, { cache: "cloudflare-isr", hit: true });
});

test("a page's own headers outrank its route: first X-ISR-Revalidate, CDN-Cache-Control, Cache-Control", async () => {
  const shared = { "Cache-Control": "public, max-age=40, s-maxage=300" };
  const cdn = { ...shared, "CDN-Cache-Control": "s-maxage=200" };
  const cases = [
    ["nothing", {}, 10],
    ["max-age", { "Cache-Control": "public, max-age=40" }, 10],
    ["s-maxage", shared, 300],
    ["cdn", cdn, 200],
    ["own", { ...cdn, "X-ISR-Revalidate": "100" }, 100],
  ];
  for (const [name, headers, lifetime] of cases) {
    const path = await isr.lab(`precedence-${name}`, { headers });
    await isr.fetch(path);
    const { ttl } = (await isr.fetch(path)).cacheStatus;
    assert.ok(ttl <= lifetime && ttl > lifetime - 8, `${name}: ttl=${ttl}`);
  }
});

test("HEAD is answered from the cache, with the length and without the body", async () => {
  const cold = await isr.fetch("/lab/head", { method: "HEAD" });
  assert.deepEqual([cold.status, cold.isr, cold.body.length], [200, "MISS", 0]);
  const page = await isr.fetch("/lab/head");
  assert.deepEqual([page.isr, page.render], ["HIT", 1]);
  const head = await isr.fetch("/lab/head", { method: "HEAD" });
  assert.deepEqual([head.isr, head.body.length], ["HIT", 0]);
  assert.equal(head.headers.get("content-length"), String(page.body.length));
  assert.equal(head.headers.get("content-type"), page.headers.get("content-type"));
});

test("binary and large bodies come out as they went in, from the site, L1 and the coordinator alike", async () => {
  for (const path of ["/logo.png", "/size/3145728"]) {
    const original = await isr.site(path);
    for (const status of ["MISS", "HIT", "HIT"]) {
      const answer = await isr.fetch(path);
      assert.equal(answer.isr, status, path);
      assert.ok(answer.body.equals(original.body), `${path}: ${answer.body.length} bytes`);
      assert.equal(answer.headers.get("content-type"), original.headers.get("content-type"));
    }
  }
});

test("a colo that has lost its L1 finds the page in L2", async () => {
  const folder = await newFolder();
  const one = await start({ folder });
  const page = await one.fetch("/logo.png").finally(() => until("L2", async () => (await one.stored("/logo")).length));
  await one.kill();

  const other = await start({ folder, isr: config({ cache_name: "another-colo" }) });
  const [l2, l1] = [await other.fetch("/logo.png"), await other.untilStatus("/logo.png", "HIT")];
  assert.deepEqual([page.isr, l2.isr, l2.cacheStatus.detail, l1.isr], ["MISS", "HIT", "l2", "HIT"]);
  assert.ok(page.body.equals(l2.body) && page.body.equals(l1.body));
  await until("L1", async () => (await other.fetch("/logo.png")).cacheStatus.detail === undefined);
  assert.equal((await other.site("/logo.png")).render, 2, "rendered once before, for both colos");
});

test("not found, gone and moved for good are stored, with Location", async () => {
  const moved = { headers: { Location: "/elsewhere" } };
  const cases = [
    [await isr.lab("moved", { status: 301, ...moved }), 301],
    [await isr.lab("moved-too", { status: 308, ...moved }), 308],
    [await isr.lab("gone", { status: 410 }), 410],
    ["/blog/never-written", 404],
  ];
  for (const [path, status] of cases) {
    const [miss, hit] = [await isr.fetch(path), await isr.fetch(path)];
    assert.deepEqual([miss.status, miss.isr, hit.status, hit.isr], [status, "MISS", status, "HIT"], path);
    assert.equal(hit.headers.get("location"), [301, 308].includes(status) ? "/elsewhere" : null);
    assert.deepEqual(hit.body, miss.body);
  }
});

test("spellings of one URL are one page; only the query parameters that the route names tell pages apart", async () => {
  assert.equal((await isr.fetch("/lab/by-page?page=1&utm=a")).isr, "MISS");
  for (const same of ["?page=1", "?utm=b&page=1", "/?page=1", "?page=%31"]) {
    assert.equal((await isr.fetch(`/lab/by-page${same}`)).isr, "HIT", same);
  }
  for (const other of ["", "?page=2", "?page=1&page=2"]) {
    assert.equal((await isr.fetch(`/lab/by-page${other}`)).isr, "MISS", other);
  }
  assert.equal(await isr.renders("by-page"), 4);
});

test("hosts have pages of their own", async () => {
  assert.equal((await isr.fetch("/lab/host")).isr, "MISS");
  assert.equal((await isr.fetch("/lab/host", { visitedHost: "other.test" })).isr, "MISS");
  assert.equal((await isr.fetch("/lab/host")).isr, "HIT");
});

test("with `expose_headers = false` the cache is silent", async () => {
  const silent = await start({ isr: config({ expose_headers: false }) });
  for (const path of ["/lab/silent", "/lab/silent", "/private"]) {
    const { status, headers } = await silent.fetch(path);
    const telling = [...headers.keys()].filter((name) => /isr|cache-status/.test(name));
    assert.deepEqual([status, telling], [200, []], path);
  }
  assert.equal(await silent.renders("silent"), 1);
});
