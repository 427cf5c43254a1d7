/** Responses that are not stored: private ones (SKIP), drafts (BYPASS), and those that are not for the cache. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { bypassToken, config, start } from "./harness.mjs";

let isr;
before(async () => {
  isr = await start({ isr: config({ max_body_bytes: 100_000 }, {
    "/lab/zero": { revalidate: 0 },
    "/lab/found": { statuses: [302] },
    "/lab/absent": { not_found_revalidate: 100 },
  }) });
});

const unstorable = {
  private: [{ headers: { "Cache-Control": "private" } }, "cache-control"],
  "no-store": [{ headers: { "Cache-Control": "no-store" } }, "cache-control"],
  "no-cache": [{ headers: { "Cache-Control": "no-cache" } }, "cache-control"],
  "cdn-no-store": [{ headers: { "CDN-Cache-Control": "no-store", "Cache-Control": "s-maxage=60" } }, "cache-control"],
  vary: [{ headers: { Vary: "Accept-Encoding, User-Agent" } }, "vary"],
  "vary-all": [{ headers: { Vary: "*" } }, "vary"],
  "own-zero": [{ headers: { "X-ISR-Revalidate": "0" } }, "revalidate-0"],
  "s-maxage-zero": [{ headers: { "Cache-Control": "s-maxage=0" } }, "revalidate-0"],
  "302": [{ status: 302, headers: { Location: "/elsewhere" } }, "status"],
  "403": [{ status: 403 }, "status"],
  "204": [{ status: 204 }, "status"],
  aged: [{ headers: { "Cache-Control": "s-maxage=30", Age: "40" } }, "age"],
  part: [{ headers: { "Content-Range": "bytes 0-9/99" } }, "partial"],
  large: [{ bytes: 100_001, announce: true }, "too-large"],
};

for (const [name, [behaviour, detail]] of Object.entries(unstorable)) {
  test(`an answer of kind "${name}" is handed on, SKIP, and not stored`, async () => {
    const path = await isr.lab(`skip-${name}`, behaviour);
    const answers = [await isr.fetch(path), await isr.fetch(path), await isr.fetch(path)];
    const original = await isr.site(path);
    for (const answer of answers) {
      assert.deepEqual([answer.isr, answer.status, answer.headers.get("location")], ["SKIP", original.status, original.headers.get("location")]);
      const optsOut = name === "own-zero" ? "private, no-store" : null;
      assert.equal(answer.headers.get("cache-control"), original.headers.get("cache-control") ?? optsOut);
      assert.equal(answer.body.length, original.body.length);
    }
    assert.deepEqual(answers[0].cacheStatus, { cache: "cloudflare-isr", fwd: "uri-miss", detail });
    const renders = answers.map((answer) => answer.render);
    assert.deepEqual(renders, [2, 3, 4], "one render finds it out; then each visitor has one of their own");
    assert.deepEqual(await isr.stored(path), []);
  });
}

test("the visitor's own request reaches the site when the page is private", async () => {
  const cookie = "visitor=somebody-in-particular";
  assert.match((await isr.fetch("/private", { headers: { cookie } })).text, /somebody-in-particular/);
  assert.doesNotMatch((await isr.fetch("/private")).text, /somebody/);
});

test("a route with `revalidate = 0` costs no render but the visitor's own", async () => {
  const answers = [await isr.fetch("/lab/zero"), await isr.fetch("/lab/zero")];
  assert.deepEqual(answers.map(({ isr, render }) => [isr, render]), [["SKIP", 1], ["SKIP", 2]]);
  assert.deepEqual(answers[0].cacheStatus, { cache: "cloudflare-isr", fwd: "bypass", detail: "revalidate-0" });
});

test("a page that becomes storable is stored as soon as its pass mark ends", async () => {
  const brief = await start({ isr: config({ pass_ttl: 1 }) });
  const path = await brief.lab("opened", { headers: { "Cache-Control": "private" } });
  assert.equal((await brief.fetch(path)).isr, "SKIP");
  await brief.lab("opened", {});
  assert.equal((await brief.untilStatus(path, "MISS")).status, 200);
  assert.equal((await brief.fetch(path)).isr, "HIT");
});

test("what a site says to caches like this one counts before what it says to browsers", async () => {
  const path = await isr.lab("targeted", { headers: { "CDN-Cache-Control": "max-age=300", "Cache-Control": "private, no-store" } });
  const [miss, hit] = [await isr.fetch(path), await isr.fetch(path)];
  assert.deepEqual([miss.isr, hit.isr, hit.headers.get("cdn-cache-control")], ["MISS", "HIT", null]);
  assert.ok(hit.cacheStatus.ttl > 290, `ttl=${hit.cacheStatus.ttl}`);
});

test("the time in another cache is over", async () => {
  const path = await isr.lab("aged-a-little", { headers: { "Cache-Control": "s-maxage=300", Age: "200" } });
  const [miss, hit] = [await isr.fetch(path), await isr.fetch(path)];
  assert.deepEqual([miss.isr, hit.isr], ["MISS", "HIT"]);
  assert.ok(hit.cacheStatus.ttl > 90 && hit.cacheStatus.ttl <= 100, `ttl=${hit.cacheStatus.ttl}`);
});

test("a route says which statuses are stored, and for how long what is not there", async () => {
  const found = await isr.lab("found", { status: 302, headers: { Location: "/elsewhere" } });
  const absent = await isr.lab("absent", { status: 404 });
  for (const [path, status] of [[found, 302], [absent, 404]]) {
    const [miss, hit] = [await isr.fetch(path), await isr.fetch(path)];
    assert.deepEqual([miss.status, miss.isr, hit.status, hit.isr], [status, "MISS", status, "HIT"], path);
    assert.equal(hit.cacheStatus.ttl > 90, path === absent, `${path}: ttl=${hit.cacheStatus.ttl}`);
  }
  await isr.lab("found", {});
  assert.equal((await isr.fetch(`${found}?`)).status, 302, "still the same page");
});

test("Set-Cookie, WWW-Authenticate and the like are never shared", async () => {
  const secret = { "Cache-Control": "public", "Set-Cookie": ["a=for-one-visitor", "b=2"], "WWW-Authenticate": "Basic", "Proxy-Authenticate": "Basic" };
  const path = await isr.lab("secrets", { headers: secret });
  for (const status of ["MISS", "HIT"]) {
    const answer = await isr.fetch(path);
    const leaked = Object.keys(secret).filter((name) => name !== "Cache-Control" && answer.headers.has(name));
    assert.deepEqual([answer.isr, leaked], [status, []]);
  }
});

test("a visitor's cookies and authorization do not reach a render", async () => {
  const marked = { cookie: "visitor=somebody", authorization: "Bearer somebody" };
  assert.equal((await isr.fetch("/cookie", { headers: marked })).headers.get("set-cookie"), null);
  assert.equal((await isr.fetch("/private", { headers: marked })).isr, "SKIP");
});

for (const [how, headers] of Object.entries({
  header: { "x-isr-bypass": bypassToken },
  cookie: { cookie: `a=b; __isr_bypass=${bypassToken}; c=d` },
})) {
  test(`whoever has the draft token in a ${how} sees the site itself, and nothing of it is stored`, async () => {
    const path = `/lab/draft-by-${how}`;
    for (const render of [1, 2]) {
      const draft = await isr.fetch(path, { headers });
      assert.deepEqual([draft.isr, draft.render, draft.cacheStatus.fwd], ["BYPASS", render, "bypass"]);
      assert.equal(draft.headers.get("cache-control"), "private, no-store");
    }
    assert.deepEqual(await isr.stored(path), []);
    const visitor = await isr.fetch(path);
    assert.deepEqual([visitor.isr, visitor.render], ["MISS", 3]);
    assert.equal((await isr.fetch(path, { headers })).render, 4, "also when the page is stored");
    assert.deepEqual((await isr.fetch(path)).body, visitor.body);
  });

  test(`a wrong draft token in a ${how} makes no difference`, async () => {
    const wrong = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace(bypassToken, "wrong")]));
    const path = `/lab/wrong-by-${how}`;
    assert.equal((await isr.fetch(path, { headers: wrong })).isr, "MISS");
    assert.equal((await isr.fetch(path, { headers: wrong })).isr, "HIT");
  });
}

test("without a draft token in the settings no claim is taken, not even an empty one", async () => {
  const closed = await start({ bindings: { ISR_BYPASS_TOKEN: undefined } });
  assert.equal((await closed.fetch("/lab/closed", { headers: { "x-isr-bypass": "" } })).isr, "MISS");
  assert.equal((await closed.fetch("/lab/closed", { headers: { cookie: "__isr_bypass=" } })).isr, "HIT");
});

test("paths without a route and methods other than GET and HEAD pass untouched", async () => {
  const body = JSON.stringify({ body: "set through the gateway" });
  const cases = [
    ["/editor", {}, 200],
    ["/no/such/page", {}, 404],
    ["/lab/untouched", { method: "POST", body, headers: { "x-isr-meta": "forged", "x-own": "kept" } }, 200],
    ["/lab/untouched", { method: "PUT", body }, 405],
    ["/", { method: "OPTIONS" }, 405],
  ];
  for (const [path, init, status] of cases) {
    const answer = await isr.fetch(path, init);
    assert.deepEqual([answer.status, answer.isr, answer.cacheStatus], [status, null, null], path);
  }
  assert.equal((await isr.fetch("/lab/untouched")).text, "set through the gateway");
});
