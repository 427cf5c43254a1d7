/** A 304 fits the body that the visitor has, and a range of a page that is not stored yet is a range. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

let isr;
let renders = 0;

before(async () => {
  const origin = await originOf(({ url }, response) => {
    renders += 1;
    const headers = { "content-type": "text/html", "content-security-policy": `script-src 'nonce-${renders}'`, "x-own": `${renders}`, "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT" };
    if (url.startsWith("/same")) Object.assign(headers, { etag: '"same"', "content-location": "/same.html" });
    if (url.startsWith("/policy")) Object.assign(headers, { "content-security-policy": policy });
    const body = url.startsWith("/long") ? "0123456789".repeat(100) : "0123456789";
    if (url.startsWith("/chunked")) return response.writeHead(200, headers).write(body, () => response.end());
    response.writeHead(200, { ...headers, "content-length": body.length }).end(body);
  });
  isr = await gatewayFor(origin);
});
let policy = "default-src 'self'";

/** Headers of a 304: RFC 9110 §15.4.5, and those of this cache. */
const allowed = new Set(["age", "cache-control", "cache-status", "connection", "content-location", "date", "etag", "expires", "keep-alive", "vary", "x-isr-cache-date", "x-isr-status"]);

for (const [path, method] of [["/same/a", "GET"], ["/same/b", "HEAD"], ["/own", "GET"]]) {
  test(`${method} ${path}: a 304 carries nothing that contradicts the body`, async () => {
    assert.equal((await isr.fetch(path)).isr, "MISS");
    const { headers } = await isr.fetch(path);
    await isr.revalidate({ path, mode: "expire" });
    await isr.untilStatus(path, "MISS");
    const etag = path.startsWith("/same") ? headers.get("etag") : (await isr.fetch(path)).headers.get("etag");
    for (const more of [{}, { "if-modified-since": "Sun, 06 Nov 1994 08:49:37 GMT" }]) {
      const same = await isr.fetch(path, { method, headers: { "if-none-match": etag, ...more } });
      assert.equal(same.status, 304);
      assert.deepEqual([...same.headers.keys()].filter((name) => !allowed.has(name)), []);
      assert.equal(same.headers.get("etag"), etag);
    }
  });
}

test("another policy for the same bytes is another generated tag", async () => {
  await isr.fetch("/policy");
  const before = (await isr.fetch("/policy")).headers.get("etag");
  policy = "default-src 'none'";
  await isr.revalidate({ path: "/policy", mode: "expire" });
  await isr.untilStatus("/policy", "MISS");
  const answer = await isr.fetch("/policy", { headers: { "if-none-match": before } });
  assert.deepEqual([answer.status, answer.headers.get("content-security-policy")], [200, policy]);
});

for (const [path, range, expected, bytes] of [
  ["/cold/a", "bytes=0-1", "bytes 0-1/10", "01"],
  ["/cold/b", "bytes=8-", "bytes 8-9/10", "89"],
  ["/cold/c", "bytes=-3", "bytes 7-9/10", "789"],
  ["/long/a", "bytes=995-2000", "bytes 995-999/1000", "56789"],
  ["/cold/d", "bytes=10-", "bytes */10", ""],
]) {
  test(`${range} of ${path}, which is not stored yet`, async () => {
    const part = await isr.fetch(path, { headers: { range } });
    assert.deepEqual([part.status, part.headers.get("content-range"), part.text], [bytes ? 206 : 416, expected, bytes]);
    const whole = await isr.untilStatus(path, "HIT");
    assert.equal(whole.body.length, Number(expected.split("/")[1]), "all of the page is stored");
  });
}

test("a body of unknown length has no ranges while it arrives", async () => {
  const whole = await isr.fetch("/chunked/a", { headers: { range: "bytes=0-1" } });
  assert.deepEqual([whole.status, whole.text], [200, "0123456789"]);
  assert.equal((await isr.fetch("/chunked/a", { headers: { range: "bytes=0-1" } })).status, 206);
});

test("HEAD of a page that is not stored yet has its length", async () => {
  const head = await isr.fetch("/cold/head", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, "10"]);
});
