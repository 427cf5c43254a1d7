/** Any number of simultaneous requests cause one render. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { start, until } from "./harness.mjs";

const crowd = 200;
let isr;
before(async () => (isr = await start()));

const all = (path) => Promise.all(Array.from({ length: crowd }, () => isr.fetch(path)));

test("200 visitors of a slow page that nobody has seen yet share one render", async () => {
  const path = await isr.lab("crowd-cold", { delay_ms: 500 });
  const answers = await all(path);

  const [{ body }] = answers;
  assert.ok(answers.every((answer) => answer.status === 200 && answer.render === 1 && answer.body.equals(body)));
  const misses = answers.filter((answer) => answer.isr === "MISS");
  const began = misses.filter((answer) => !answer.cacheStatus.collapsed);
  assert.equal(began.length, 1, "exactly one visitor began the render");
  // Whoever is late finds the page stored.
  assert.ok(answers.every((answer) => answer.isr === "HIT" || misses.includes(answer)));
  assert.ok(misses.length > crowd / 2, `${misses.length} came while it was rendered`);
  assert.equal(await isr.renders("crowd-cold"), 1);
});

test("200 visitors of a stale slow page share one render, and none of them waits for it", async () => {
  const headers = { "X-ISR-Revalidate": "2" };
  const path = await isr.lab("crowd-stale", { headers });
  const { body } = await isr.fetch(path);
  const delay = 3000;
  // Longer fresh, for that counts from the beginning of the render.
  await isr.lab("crowd-stale", { headers: { "X-ISR-Revalidate": "60" }, delay_ms: delay });
  await isr.untilStatus(path, "STALE");

  const answers = await all(path);
  assert.ok(answers.every((answer) => answer.isr === "STALE" && answer.body.equals(body)));
  const slowest = Math.max(...answers.map((answer) => answer.millis));
  assert.ok(slowest < delay / 2, `the slowest took ${slowest} ms`);
  assert.equal((await isr.untilStatus(path, "HIT")).render, 2);
  assert.equal(await isr.renders("crowd-stale"), 2);
});

test("slow pages of one route don't wait for each other", async () => {
  const paths = await Promise.all([1, 2, 3, 4].map((n) => isr.lab(`side-by-side-${n}`, { delay_ms: 1000 })));
  const answers = await Promise.all(paths.map((path) => isr.fetch(path)));
  assert.ok(answers.every((answer) => answer.isr === "MISS" && answer.millis < 2000), answers.map(({ millis }) => millis).join());
});

test("requests for a page that turns out not to be stored are not queued behind each other", async () => {
  const path = await isr.lab("crowd-private", { delay_ms: 500, headers: { "Cache-Control": "private" } });
  const answers = await all(path);
  assert.ok(answers.every((answer) => answer.isr === "SKIP" && answer.status === 200));
  assert.equal(new Set(answers.map((answer) => answer.render)).size, crowd, "each has an answer of its own");
});

test("the render behind a stale page is not put off by visitors of other pages", async () => {
  const path = await isr.lab("put-off", { headers: { "X-ISR-Revalidate": "1" } });
  await isr.fetch(path);
  for (let round = 0; round < 5; round += 1) {
    const { render } = await isr.untilStatus(path, "STALE");
    await Promise.all(Array.from({ length: 20 }, (_, n) => isr.fetch(`/lab/put-off-by-${round}-${n}`)));
    await until("the new page", async () => (await isr.fetch(path)).render > render, { timeout: 5000 });
  }
});
