/** `http = "standard"`, and validation of stored pages with the origin. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

let isr;
let origin;

/** Headers by path. The origin answers 304 to a request whose `If-None-Match` names the page's tag. */
const answers = {
  "/standard/fresh": { "cache-control": "max-age=60", expires: "Fri, 01 Jan 2038 01:01:01 GMT", date: "" },
  "/standard/guessed": {},
  "/standard/changed": { "cache-control": "max-age=600" },
  "/standard/named": { "cache-control": "max-age=600" },
  "/standard/private": { "cache-control": "max-age=600" },
  "/standard/aged": { "cache-control": "max-age=600", age: "100" },
  "/standard/gone": { "cache-control": "max-age=600" },
  "/isr/tagged": { etag: '"a"', "cdn-cache-control": "max-age=600", "cache-tag": "tagged" },
  "/isr/untagged": { "cdn-cache-control": "max-age=600" },
  "/isr/wrong": { etag: '"right"', "cdn-cache-control": "max-age=600" },
};

before(async () => {
  origin = await originOf(({ method, url, headers }, response) => {
    if (method === "POST") {
      return url === "/standard/refused"
        ? response.writeHead(403).end()
        : response.writeHead(200, { "content-location": "/standard/named" }).end("changed");
    }
    const { date, ...own } = answers[url] ?? {};
    if (date !== undefined) own.date = new Date().toUTCString();
    if (headers["if-none-match"] && url === "/isr/wrong") return response.writeHead(304, { etag: '"other"' }).end();
    if (headers["if-none-match"] === own.etag && own.etag) return response.writeHead(304, { etag: own.etag, "x-new": "1" }).end();
    response.writeHead(200, { "content-type": "text/plain", "x-old": "1", ...own }).end(`page of ${url}`);
  });
  isr = await gatewayFor(origin, { routes: { "/standard/*": { http: "standard" }, "/isr/*": {} } });
});

const statuses = async (path, headers, times = 2) => {
  const seen = [];
  for (let time = 0; time < times; time += 1) seen.push((await isr.fetch(path, { headers })).isr);
  return seen;
};

describe("by the standard rules", () => {
  test("max-age counts, and clients receive the origin's own fields with the right age", async () => {
    await isr.fetch("/standard/fresh");
    for (const { isr: status, headers } of [await isr.fetch("/standard/fresh"), await isr.fetch("/standard/fresh")]) {
      assert.equal(status, "HIT");
      assert.equal(headers.get("cache-control"), "max-age=60");
      assert.equal(headers.get("expires"), answers["/standard/fresh"].expires);
      assert.ok(Number(headers.get("age")) < 20);
      assert.equal(headers.get("x-isr-origin"), null);
    }
  });

  test("a page without a lifetime gets that of the route, and clients always ask", async () => {
    assert.deepEqual(await statuses("/standard/guessed"), ["MISS", "HIT"]);
    assert.equal((await isr.fetch("/standard/guessed")).headers.get("cache-control"), "public, max-age=0, must-revalidate");
  });

  test("a successful POST invalidates its URL, and what it names; a refused one does not", async () => {
    for (const path of ["/standard/changed", "/standard/named"]) assert.deepEqual(await statuses(path), ["MISS", "HIT"]);
    assert.equal((await isr.fetch("/standard/refused", { method: "POST", body: "a" })).status, 403);
    assert.deepEqual(await statuses("/standard/changed", {}, 1), ["HIT"]);
    assert.equal((await isr.fetch("/standard/changed", { method: "POST", body: "a" })).status, 200);
    for (const path of ["/standard/changed", "/standard/named"]) assert.deepEqual(await statuses(path), ["MISS", "HIT"]);
  });

  test("a request may refuse a stored page, and one with Authorization gets its own", async () => {
    assert.deepEqual(await statuses("/standard/aged"), ["MISS", "HIT"]);
    for (const control of ["no-cache", "no-store", "max-age=99", "min-fresh=501"]) {
      const { isr: status, cacheStatus } = await isr.fetch("/standard/aged", { headers: { "cache-control": control } });
      assert.deepEqual([status, cacheStatus.detail], ["SKIP", "request-directive"], control);
    }
    for (const control of ["max-age=200", "min-fresh=300", "only-if-cached", "max-stale=1"]) {
      assert.deepEqual(await statuses("/standard/aged", { "cache-control": control }, 1), ["HIT"], control);
    }
    assert.equal((await isr.fetch("/standard/gone", { headers: { "cache-control": "only-if-cached" } })).status, 504);
    assert.deepEqual(origin.arrived("/standard/gone"), []);
    assert.deepEqual(await statuses("/standard/private", { authorization: "Basic a" }), ["SKIP", "SKIP"]);
    assert.deepEqual(origin.arrived("/standard/private").map(({ headers }) => headers.authorization), ["Basic a", "Basic a"]);
  });
});

describe("validation", () => {
  const conditions = (path) => origin.arrived(path).map(({ headers }) => headers["if-none-match"] ?? null);

  test("a 304 refreshes the page: its bytes stay, its headers are updated", async () => {
    assert.deepEqual(await statuses("/isr/tagged"), ["MISS", "HIT"]);
    await isr.revalidate({ tag: "tagged", mode: "expire" });
    const [miss, hit] = [await isr.fetch("/isr/tagged"), await isr.fetch("/isr/tagged")];
    assert.deepEqual([miss.isr, hit.isr], ["MISS", "HIT"]);
    for (const { text, status, headers } of [miss, hit]) {
      assert.deepEqual([status, text], [200, "page of /isr/tagged"]);
      assert.deepEqual(["x-old", "x-new", "etag", "content-type"].map((name) => headers.get(name)), ["1", "1", '"a"', "text/plain"]);
    }
    assert.deepEqual(conditions("/isr/tagged"), [null, '"a"']);
  });

  test("a page keeps the tags that a 304 omits, and a purged page is not validated", async () => {
    await isr.revalidate({ tag: "tagged", mode: "purge" });
    assert.deepEqual(await statuses("/isr/tagged"), ["MISS", "HIT"]);
    assert.equal(conditions("/isr/tagged").at(-1), null);
    assert.equal((await isr.fetch("/isr/tagged")).headers.get("x-new"), null);
  });

  test("a tag of this cache's own is never sent", async () => {
    assert.deepEqual(await statuses("/isr/untagged"), ["MISS", "HIT"]);
    assert.ok((await isr.fetch("/isr/untagged")).headers.get("etag"));
    await isr.revalidate({ path: "/isr/untagged", mode: "expire" });
    assert.deepEqual(await statuses("/isr/untagged"), ["MISS", "HIT"]);
    assert.deepEqual(conditions("/isr/untagged"), [null, null]);
  });

  test("a 304 about another version is followed by a render", async () => {
    assert.deepEqual(await statuses("/isr/wrong"), ["MISS", "HIT"]);
    await isr.revalidate({ path: "/isr/wrong", mode: "expire" });
    assert.deepEqual(await statuses("/isr/wrong"), ["MISS", "HIT"]);
    assert.deepEqual(conditions("/isr/wrong"), [null, '"right"', null]);
  });
});
