/** What browsers may keep: a file keeps the lifetime that its origin states, an HTML page does not. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

const ask = "public, max-age=0, must-revalidate";
const immutable = "public, max-age=31536000, immutable";
const responses = {
  "/app.3f2a.js": ["text/javascript; charset=utf-8", { "cache-control": immutable }, immutable],
  "/logo.png": ["image/png", { "cache-control": "max-age=2592000" }, "max-age=2592000"],
  "/font.woff2": ["font/woff2", { "cache-control": "public, max-age=86400, s-maxage=60" }, "public, max-age=86400, s-maxage=60"],
  "/feed.json": ["application/json", { "cache-control": "max-age=60, must-revalidate" }, "max-age=60, must-revalidate"],
  "/targeted.css": ["text/css", { "cache-control": "private, max-age=600", "cdn-cache-control": "max-age=60" }, "private, max-age=600"],
  "/expires.png": ["image/png", { date: "Sun, 06 Nov 1994 08:49:37 GMT", expires: "Sun, 06 Nov 1994 09:49:37 GMT" }, "max-age=3600"],
  "/zero.png": ["image/png", { "cache-control": "public, max-age=0" }, ask],
  "/plain.png": ["image/png", {}, ask],
  "/page": ["text/html", { "cache-control": immutable }, ask],
  "/xhtml": ["application/xhtml+xml", { "cache-control": "max-age=600" }, ask],
  "/shared.txt": ["text/plain", { "cache-control": "s-maxage=60" }, ask],
};
let isr;

before(async () => {
  const origin = await originOf(({ url }, response) => {
    const [type, headers] = responses[url] ?? responses["/logo.png"];
    response.writeHead(200, { "content-type": type, ...headers }).end(url);
  });
  isr = await gatewayFor(origin, { routes: { "/*": {}, "/brief/*": { revalidate: 1 }, "/kept/*": { browser_max_age: 30 } } });
});

for (const [path, [, , expected]] of Object.entries(responses)) {
  test(`${path}: ${expected}`, async () => {
    for (const outcome of ["MISS", "HIT", "HIT"]) {
      const answer = await isr.fetch(path);
      assert.deepEqual([answer.isr, answer.headers.get("cache-control")], [outcome, expected]);
    }
    const etag = (await isr.fetch(path)).headers.get("etag");
    const same = await isr.fetch(path, { headers: { "if-none-match": etag } });
    assert.deepEqual([same.status, same.headers.get("cache-control")], [304, expected]);
    const part = await isr.fetch(path, { headers: { range: "bytes=0-0" } });
    assert.deepEqual([part.status, part.headers.get("cache-control")], [206, expected]);
  });
}

test("a stale file is not kept", async () => {
  await isr.fetch("/brief/logo.png");
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const stale = await isr.fetch("/brief/logo.png");
  assert.deepEqual([stale.isr, stale.headers.get("cache-control")], ["STALE", ask]);
});

test("what the origin says about a file counts before `browser_max_age`", async () => {
  await isr.fetch("/kept/logo.png");
  assert.equal((await isr.fetch("/kept/logo.png")).headers.get("cache-control"), "max-age=2592000");
});
