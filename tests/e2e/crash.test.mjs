/** The runtime is killed at a bad moment, and restarted with its files on disk. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { config, newFolder, start, until } from "./harness.mjs";

const anotherColo = config({ cache_name: "another-colo" });

test("in the middle of a cold render: the next visitor gets a render at once", async () => {
  const folder = await newFolder();
  const before = await start({ folder });
  const path = await before.lab("cold", { delay_ms: 5000 });
  const waiting = before.fetch(path).then(() => "answered", () => "cut off");
  await until("the render", async () => (await before.renders("cold")) === 1);
  await before.kill();
  assert.equal(await waiting, "cut off");

  const after = await start({ folder });
  await after.lab("cold", {});
  const answer = await after.fetch(path);
  assert.deepEqual([answer.status, answer.isr, answer.render], [200, "MISS", 2]);
  assert.ok(answer.millis < 2000, `no lease in the way: ${answer.millis} ms`);
  assert.equal((await after.fetch(path)).isr, "HIT");
});

test("in the middle of a render behind a stale page: it is begun again, though nobody comes", async () => {
  const folder = await newFolder();
  const before = await start({ folder });
  const path = await before.lab("behind", { headers: { "X-ISR-Revalidate": "1" } });
  await before.fetch(path);
  await before.lab("behind", { delay_ms: 2000, headers: { "X-ISR-Revalidate": "60" } });
  await before.untilStatus(path, "STALE");
  await until("the render", async () => (await before.renders("behind")) === 2);
  await before.kill();

  const after = await start({ folder });
  await until("the render", async () => (await after.renders("behind")) === 3, { timeout: 15_000 });
  const renewed = await until("the new page", async () => {
    const answer = await after.fetch(path);
    return answer.render === 3 && answer;
  });
  assert.deepEqual([renewed.status, await after.renders("behind")], [200, 3]);
});

test("after a page was stored: it is served without a render, by every colo", async () => {
  const folder = await newFolder();
  const before = await start({ folder });
  const page = await before.fetch("/article");
  await until("L2", async () => (await before.stored("/article")).length);
  await before.kill();

  for (const isr of [config(), anotherColo]) {
    const after = await start({ folder, isr });
    const answer = await after.fetch("/article");
    assert.deepEqual([answer.isr, answer.render], ["HIT", 1]);
    assert.ok(answer.body.equals(page.body));
    await after.kill();
  }
});

test("right after a page was answered: a whole page, old or new, and the store is mended", async () => {
  const folder = await newFolder();
  const before = await start({ folder });
  const paths = Array.from({ length: 8 }, (_, n) => `/size/${500_000 + n}`);
  const pages = await Promise.all(paths.map((path) => before.fetch(path)));
  await before.kill();

  const after = await start({ folder, isr: anotherColo });
  for (const [n, path] of paths.entries()) {
    const answer = await after.fetch(path);
    assert.ok(["HIT", "MISS"].includes(answer.isr), `${path}: ${answer.status} ${answer.isr}`);
    assert.ok(answer.body.equals(pages[n].body));
    await until("L2", async () => (await after.stored(path)).length);
  }
});

test("between a render and the write to L2: the page is rendered again, and the old one is not taken for it", async () => {
  const folder = await newFolder();
  const before = await start({ folder, troubled: true });
  const headers = { "X-ISR-Revalidate": "false" };
  const paths = [await before.lab("unwritten", { headers }), await before.lab("overwritten", { headers })];
  await before.fetch(paths[1]);
  await until("L2", async () => (await before.stored(paths[1])).length);
  await before.trouble({ kv: "hangs" });
  assert.equal((await before.revalidate({ path: paths[1] })).status, 200);
  const answers = await Promise.all(paths.map((path) => before.fetch(path)));
  assert.deepEqual(answers.map(({ isr, render }) => [isr, render]), [["MISS", 1], ["MISS", 2]]);
  await before.kill();

  // The first colo has the new pages in its L1; the others find nothing, and the old page in L2.
  for (const cache_name of ["cloudflare-isr", "second-colo", "third-colo"]) {
    const after = await start({ folder, isr: config({ cache_name }) });
    for (const [n, path] of paths.entries()) {
      const answer = await after.fetch(path);
      assert.ok(answer.status === 200 && answer.render > n, `${cache_name}: ${path} shows render ${answer.render}`);
    }
    if (cache_name === "third-colo") {
      for (const path of paths) await until("L2", async () => (await after.stored(path)).length);
    }
    await after.kill();
  }
});

test("right after an invalidation was acknowledged: it holds", async () => {
  const folder = await newFolder();
  const before = await start({ folder });
  await before.lab("forgotten", { headers: { "Cache-Tag": "a-tag" } });
  for (const path of ["/lab/forgotten", "/article"]) await before.fetch(path);
  const calls = [before.revalidate({ tag: "a-tag" }), before.revalidate({ path: "/article" })];
  assert.deepEqual((await Promise.all(calls)).map(({ status }) => status), [200, 200]);
  await before.kill();

  // What the colo has kept of the feed outlives the runtime, for as long as it may be used.
  const after = await start({ folder, isr: config({ freshness_bound: 0 }) });
  for (const path of ["/lab/forgotten", "/article"]) {
    const answer = await after.fetch(path);
    assert.deepEqual([answer.isr, answer.render], ["MISS", 2], path);
  }
});

test("during the pause after a failure: the pause goes on", async () => {
  const folder = await newFolder();
  const before = await start({ folder });
  const path = await before.lab("pause", { status: 500 });
  await until("three attempts", async () => {
    const { status } = await before.fetch(path);
    return status === 500 && (await before.renders("pause")) === 3;
  });
  await before.kill();

  const after = await start({ folder });
  const answer = await after.fetch(path);
  assert.deepEqual([answer.status, answer.cacheStatus.detail], [503, "backoff"]);
  assert.equal(await after.renders("pause"), 3);
});
