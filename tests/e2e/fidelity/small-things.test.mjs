/** What else an origin says and a cache must not lose, or must not pass on. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { until } from "../harness.mjs";
import { gatewayFor, originOf } from "./origin.mjs";

let origin, isr;

const answers = {
  "/hour": [200, { "x-isr-revalidate": "1h" }],
  "/opts-out": [200, { "x-isr-revalidate": "0" }],
  "/opts-out-with": [200, { "x-isr-revalidate": "0", "cache-control": "max-age=5" }],
  "/zero/a": [200, {}],
  "/zero/with": [200, { "cache-control": "public, max-age=5" }],
  "/tagged": [200, { "cache-tag": "a,b", "cache-control": "private" }],
  "/form": [200, { "cache-tag": "a,b" }],
  "/links": [200, { link: `</style.css>; title="${"a".repeat(17_000)}"`, "x-own": "kept" }],
};

const clients = [];
before(async () => {
  origin = await originOf(({ url }, response) => {
    if (url === "/events") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(`data: ${clients.length}\n\n`);
      return clients.push(response);
    }
    const [status, headers] = answers[url] ?? [200, {}];
    response.writeHead(status, headers).end(`page ${url}`);
  });
  isr = await gatewayFor(origin, { settings: { render_timeout: 1 }, routes: { "/*": {}, "/zero/*": { revalidate: 0 } } });
});

test("a stream of events is each client's own, and lives longer than `render_timeout`", async () => {
  const streams = [await isr.watch("/events"), await isr.watch("/events")];
  assert.deepEqual(streams.map(({ status, isr, cacheStatus }) => [status, isr, cacheStatus.detail]), [[200, "SKIP", "event-stream"], [200, "SKIP", "event-stream"]]);
  const began = Date.now();
  await until("more than `render_timeout` is over", () => Date.now() > began + 1500);
  for (const [number, client] of clients.entries()) client.end(`data: the end of ${number}\n\n`);
  const bodies = await Promise.all(streams.map(({ body }) => body));
  for (const body of bodies) assert.match(body.toString(), /^data: \d\n\ndata: the end of \d\n\n$/);
  assert.notEqual(bodies[0].toString(), bodies[1].toString());
  assert.equal((await isr.fetch("/healthy")).isr, "MISS");
});

test("an `X-ISR-Revalidate` that can't be read is logged for the operator", async () => {
  assert.equal((await isr.fetch("/hour")).isr, "MISS");
  assert.ok(isr.logs.some((line) => line.includes("X-ISR-Revalidate: 1h")), isr.logs.join("\n"));
});

for (const [path, expected] of [["/opts-out", "private, no-store"], ["/opts-out-with", "max-age=5"], ["/zero/a", "private, no-store"], ["/zero/with", "public, max-age=5"]]) {
  test(`${path}: browsers are told ${expected}`, async () => {
    for (let n = 0; n < 2; n += 1) {
      const answer = await isr.fetch(path);
      assert.deepEqual([answer.isr, answer.headers.get("cache-control")], ["SKIP", expected]);
    }
  });
}

test("tags reach no visitor", async () => {
  assert.deepEqual([(await isr.fetch("/tagged")).isr, (await isr.fetch("/tagged")).headers.get("cache-tag")], ["SKIP", null]);
  assert.equal((await isr.fetch("/form", { method: "POST" })).headers.get("cache-tag"), null);
});

test("a page is stored without a `Link` that is too long, and the log says so", async () => {
  const [miss, hit] = [await isr.fetch("/links"), await isr.fetch("/links")];
  assert.deepEqual([miss.isr, hit.isr, hit.headers.get("link"), hit.headers.get("x-own")], ["MISS", "HIT", null, "kept"]);
  assert.ok(isr.logs.some((line) => line.includes("`Link`")), isr.logs.join("\n"));
});

test("a PURGE does not reach the origin, and the response says what to do instead", async () => {
  const answer = await isr.fetch("/purged", { method: "PURGE" });
  assert.deepEqual([answer.status, answer.json.error.code], [501, "method_not_implemented"]);
  assert.match(answer.json.error.message, /__isr\/revalidate/);
  assert.equal(origin.arrived("/purged").length, 0);
});

test("`browser_max_age` may be longer than a day", async () => {
  const long = await gatewayFor(origin, { route: { browser_max_age: 2_592_000, revalidate: false } });
  assert.match((await long.fetch("/kept")).headers.get("cache-control"), /^public, max-age=25920\d\d,/);
});
