/**
 * A page streams to all waiting clients while the origin still sends it; broken and oversized bodies are not stored.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { numbered } from "../../examples/site/src/lab.js";
import { config, start, until } from "./harness.mjs";

const bound = 1_000_000;
const crowd = 50;
let isr;
before(async () => (isr = await start({ isr: config({ max_body_bytes: bound, render_timeout: 10 }) })));

const together = (count, ask) => Promise.all(Array.from({ length: count }, ask));
const isPage = (body, bytes) => Buffer.isBuffer(body) && body.equals(Buffer.from(numbered(bytes)));

test("the first byte reaches everybody before the last has left the site, and whoever joins late gets all of it", async () => {
  const bytes = 200_000;
  const path = await isr.lab("early", { bytes, chunks: 10, chunk_delay_ms: 300 });
  const visitors = await together(crowd, () => isr.watch(path));
  await sleep(900);
  const late = await together(5, () => isr.watch(path));
  assert.deepEqual(await isr.labStats("early").then(({ renders, finished }) => [renders, finished]), [1, 0]);

  const all = [...visitors, ...late];
  assert.ok(all.every(({ status, isr, render }) => status === 200 && isr === "MISS" && render === 1));
  assert.equal(all.filter(({ cacheStatus }) => !cacheStatus.collapsed).length, 1);
  const bodies = await Promise.all(all.map(({ body }) => body));
  assert.ok(bodies.every((body) => isPage(body, bytes)));

  const hit = await isr.untilStatus(path, "HIT");
  assert.ok(isPage(hit.body, bytes));
  assert.equal(await isr.renders("early"), 1);
  await until("L2", async () => (await isr.stored(path)).length);
});

test("a page is stored though the visitor for whom it is rendered goes away in the middle", async () => {
  const path = await isr.lab("left", { bytes: 50_000, chunks: 10, chunk_delay_ms: 100 });
  (await isr.watch(path)).leave();
  await until("L2", async () => (await isr.stored(path)).length);
  const answer = await isr.fetch(path);
  assert.deepEqual([answer.isr, answer.render, isPage(answer.body, 50_000)], ["HIT", 1, true]);
});

test("HEAD while a page is being rendered is answered with its head, and it is stored", async () => {
  const path = await isr.lab("head", { bytes: 50_000, chunks: 10, chunk_delay_ms: 100 });
  const [head] = await Promise.all([isr.fetch(path, { method: "HEAD" }), isr.fetch(path)]);
  assert.deepEqual([head.status, head.isr, head.body.length], [200, "MISS", 0]);
  const again = await isr.fetch(path, { method: "HEAD" });
  assert.deepEqual([again.isr, again.headers.get("content-length")], ["HIT", "50000"]);
});

test("a body that breaks off reaches nobody as a whole one, and is stored nowhere", async () => {
  const path = await isr.lab("broken", { bytes: 100_000, chunks: 10, chunk_delay_ms: 100, fail: "break" });
  const visitors = await together(10, () => isr.watch(path));
  assert.ok(visitors.every(({ status, isr, render }) => status === 200 && isr === "MISS" && render === 1));
  const bodies = await Promise.all(visitors.map(({ body }) => body));
  assert.deepEqual(new Set(bodies), new Set(["broken off"]));

  await isr.lab("broken", { bytes: 100_000 });
  const next = await until("the page", async () => {
    const answer = await isr.fetch(path);
    assert.notEqual(answer.isr, "HIT", "L1 has kept a part of a page");
    return answer.status === 200 && answer;
  });
  assert.deepEqual([next.isr, next.render, isPage(next.body, 100_000)], ["MISS", 2, true]);
  assert.ok(isPage((await isr.untilStatus(path, "HIT")).body, 100_000));
});

test("a body that comes to no end within render_timeout is broken off, and stored nowhere", async () => {
  const brief = await start({ isr: config({ render_timeout: 1 }) });
  const path = await brief.lab("endless", { bytes: 100_000, chunks: 100, chunk_delay_ms: 100 });
  const visitor = await brief.watch(path);
  assert.deepEqual([visitor.status, await visitor.body], [200, "broken off"]);
  const next = await brief.fetch(path);
  assert.deepEqual([next.status, next.cacheStatus.detail, await brief.stored(path)], [503, "backoff", []]);
});

test("a page over the bound, of which no length is told, streams to all who have joined, and leaves a pass mark", async () => {
  const bytes = 8_000_000;
  // Requests that wait for another one of their isolate join its body after 300 ms. By then it must be below the bound.
  const path = await isr.lab("wide", { bytes, chunks: 80, chunk_delay_ms: 60 });
  const [slow, gone, ...visitors] = await together(10, () => isr.watch(path));
  slow.pause();
  gone.leave();
  await sleep(1500);
  slow.resume();
  const bodies = await Promise.all([slow, ...visitors].map(({ body }) => body));
  assert.deepEqual(bodies.map((body) => isPage(body, bytes)), bodies.map(() => true));
  assert.equal(await isr.renders("wide"), 1);

  for (const render of [2, 3]) {
    const answer = await isr.fetch(path);
    assert.deepEqual([answer.isr, answer.render, isPage(answer.body, bytes)], ["SKIP", render, true]);
  }
  assert.deepEqual(await isr.stored(path), []);
});

test("visitors who give up before the first byte hold up nobody", async () => {
  const bytes = 8_000_000;
  const path = await isr.lab("given-up", { delay_ms: 600, bytes, chunks: 80, chunk_delay_ms: 60 });
  const staying = together(3, () => isr.watch(path));
  await together(3, () => isr.fetch(path, { timeout: 300 }).then(() => assert.fail("too early"), () => {}));
  const bodies = await Promise.all((await staying).map(({ body }) => body));
  assert.deepEqual(bodies.map((body) => isPage(body, bytes)), [true, true, true]);
  assert.equal(await isr.renders("given-up"), 1);
});

test("whoever has joined a page before it is invalidated sees it to its end; whoever comes later gets the next", async () => {
  const headers = { "X-ISR-Revalidate": "false" };
  const path = await isr.lab("outdated", { bytes: 50_000, chunks: 10, chunk_delay_ms: 150, headers });
  const early = await isr.watch(path);
  assert.equal((await isr.revalidate({ path })).status, 200);
  const late = await isr.watch(path);
  assert.deepEqual([early.render, late.render], [1, 2]);
  assert.deepEqual([isPage(await early.body, 50_000), isPage(await late.body, 50_000)], [true, true]);
  const next = await isr.untilStatus(path, "HIT");
  assert.deepEqual([next.render, await isr.renders("outdated")], [2, 2]);
});

test("a page over the bound is not asked for to the end when all have left", async () => {
  const path = await isr.lab("deserted", { bytes: 8_000_000, chunks: 80, chunk_delay_ms: 50 });
  const visitors = await together(3, () => isr.watch(path));
  await sleep(1000);
  for (const visitor of visitors) visitor.leave();
  await sleep(5000);
  assert.deepEqual(await isr.labStats("deserted").then(({ renders, finished }) => [renders, finished]), [1, 0]);
  assert.equal((await isr.fetch(path)).isr, "SKIP");
});

test("a page over the bound that says so is passed on by the site itself, with every byte", async () => {
  const bytes = 3_000_000;
  const path = await isr.lab("announced", { bytes, announce: true });
  for (const render of [2, 3]) {
    const answer = await isr.fetch(path);
    assert.deepEqual([answer.isr, answer.render, isPage(answer.body, bytes)], ["SKIP", render, true]);
  }
  assert.deepEqual(await isr.stored(path), []);
});
