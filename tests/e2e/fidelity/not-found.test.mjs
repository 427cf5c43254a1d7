/** "Not found" is no content: a 404 or 410 is never served stale. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { until } from "../harness.mjs";
import { gatewayFor, originOf } from "./origin.mjs";

const missing = new Map();
let isr;

before(async () => {
  const origin = await originOf(({ url }, response) => {
    const status = missing.get(url) ?? 200;
    response.writeHead(status, { "content-type": "text/html" }).end(`status ${status}`);
  });
  isr = await gatewayFor(origin, { route: { not_found_revalidate: 1 } });
});

/** Waits until the lifetime of a stored page is over: a second, counted from the render. */
const over = (answer) => until("the end of the lifetime", () => Date.now() > Date.parse(answer.headers.get("date")) + 2500);

for (const status of [404, 410]) {
  test(`a ${status} whose lifetime is over is not served: the page is there at once`, async () => {
    const path = `/later-${status}`;
    missing.set(path, status);
    const first = await isr.fetch(path);
    assert.deepEqual([first.status, first.isr], [status, "MISS"]);
    missing.delete(path);
    await over(first);
    const answer = await isr.fetch(path);
    assert.deepEqual([answer.status, answer.isr, answer.text], [200, "MISS", "status 200"]);
  });
}

test("a 404 whose lifetime is over does not stand in for an error", async () => {
  missing.set("/failing", 404);
  const first = await isr.fetch("/failing");
  missing.set("/failing", 500);
  await over(first);
  const answer = await isr.fetch("/failing");
  assert.deepEqual([answer.status, answer.text], [500, "status 500"]);
});

test("an invalidated 404 is not served once more, whatever the mode", async () => {
  for (const mode of ["stale", "expire", "purge"]) {
    const path = `/published-${mode}`;
    missing.set(path, 404);
    assert.equal((await isr.fetch(path)).status, 404);
    missing.delete(path);
    assert.equal((await isr.revalidate({ path, mode })).status, 200);
    const answer = await until("the invalidation is known", async () => {
      const answer = await isr.fetch(path);
      return answer.isr !== "HIT" && answer;
    });
    assert.deepEqual([answer.status, answer.isr], [200, "MISS"], mode);
  }
});

test("a page that is stale is still served while it is rendered again", async () => {
  const path = "/changed";
  assert.equal((await isr.fetch(path)).status, 200);
  assert.equal((await isr.revalidate({ path, mode: "stale" })).status, 200);
  assert.equal((await isr.untilStatus(path, "STALE")).text, "status 200");
});
