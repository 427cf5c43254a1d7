/** An origin that fails says so in its own words, and says when to come back. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { until } from "../harness.mjs";
import { gatewayFor, originOf } from "./origin.mjs";

const answers = new Map();
let origin, isr;

const maintenance = [503, { "content-type": "text/html", "retry-after": "600", "x-own": "kept" }, "<h1>Maintenance</h1>"];

before(async () => {
  origin = await originOf(({ url }, response) => {
    const [status, headers, body] = answers.get(url) ?? [200, { "content-type": "text/html" }, `page ${url}`];
    response.writeHead(status, headers).end(body);
  });
  isr = await gatewayFor(origin, { routes: { "/*": { shards: 16 } } });
});

const parts = ({ status, text, headers }) => [status, text, headers.get("retry-after"), headers.get("x-own"), headers.get("content-type")];

test("its page is relayed every time, and `Retry-After` extends the pause", async () => {
  answers.set("/maintenance", maintenance);
  const began = Date.now();
  for (let n = 0; n < 5; n += 1) {
    const answer = await isr.fetch("/maintenance");
    assert.deepEqual(parts(answer), [503, "<h1>Maintenance</h1>", "600", "kept", "text/html"]);
    assert.deepEqual([answer.isr, answer.headers.get("cache-control")], ["SKIP", "no-store"]);
  }
  await until("the usual pause is over", () => Date.now() > began + 2500);
  assert.equal((await isr.fetch("/maintenance")).text, "<h1>Maintenance</h1>");
  assert.equal(origin.arrived("/maintenance").length, 1);
  assert.deepEqual(await isr.stored("/maintenance"), []);
});

for (const [name, status, headers] of [
  ["a 500 without `Retry-After`", 500, {}],
  ["a 429 with `Retry-After`", 429, { "retry-after": "30" }],
  ["a 502 whose `Retry-After` can't be read", 502, { "retry-after": "soon" }],
  ["a 503 whose `Retry-After` is over", 503, { "retry-after": "Sun, 06 Nov 1994 08:49:37 GMT" }],
]) {
  test(`${name}: the same page during the pause`, async () => {
    const path = `/${status}`;
    answers.set(path, [status, { "content-type": "text/plain", ...headers }, `error ${status}`]);
    const [first, second] = [await isr.fetch(path), await isr.fetch(path)];
    for (const answer of [first, second]) {
      assert.deepEqual(parts(answer), [status, `error ${status}`, headers["retry-after"] ?? null, null, "text/plain"]);
    }
    assert.equal((await isr.fetch(path, { method: "HEAD" })).status, status);
  });
}

test("a date in `Retry-After` counts as well", async () => {
  const date = new Date(Date.now() + 300_000).toUTCString();
  answers.set("/dated", [503, { "retry-after": date }, "later"]);
  const began = Date.now();
  assert.equal((await isr.fetch("/dated")).headers.get("retry-after"), date);
  await until("the usual pause is over", () => Date.now() > began + 2500);
  assert.equal((await isr.fetch("/dated")).headers.get("retry-after"), date);
  assert.equal(origin.arrived("/dated").length, 1);
});

test("an invalidation ends the pause", async () => {
  answers.set("/mended", maintenance);
  assert.equal((await isr.fetch("/mended")).status, 503);
  answers.delete("/mended");
  await isr.revalidate({ path: "/mended" });
  const answer = await until("the page", async () => {
    const answer = await isr.fetch("/mended");
    return answer.status === 200 && answer;
  });
  assert.equal(answer.text, "page /mended");
  assert.equal((await isr.fetch("/mended")).isr, "HIT");
});

test("the last good page takes precedence over the origin's error", async () => {
  assert.equal((await isr.fetch("/good")).isr, "MISS");
  answers.set("/good", maintenance);
  await isr.revalidate({ path: "/good", mode: "expire" });
  await until("the failure", () => origin.arrived("/good").length > 1 || isr.fetch("/good").then(() => false));
  const answer = await isr.untilStatus("/good", "STALE");
  assert.deepEqual([answer.status, answer.text], [200, "page /good"]);
});
