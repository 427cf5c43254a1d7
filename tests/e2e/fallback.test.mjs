/**
 * Without an answer of the coordinator, the edge serves a stale page if there is one; otherwise it reads L1 again;
 * otherwise the origin answers, uncollapsed and uncached. `Cache-Status` names the failure, and `X-ISR-Status` the
 * fallback.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { numbered } from "../../examples/site/src/lab.js";
import { colo, config, start, until } from "./harness.mjs";

const miss_timeout = 1;
const settings = config({ miss_timeout });

let isr;
before(async () => (isr = await start({ isr: settings, troubled: true, workers: [colo("far-away", settings)] })));

/** By what the platform does: the word for it, and how long it takes to find out. */
const troubles = {
  throws: ["coordinator-unreachable", 0],
  overloaded: ["coordinator-overloaded", 0],
  errs: ["coordinator-failed", 0],
  hangs: ["coordinator-timeout", miss_timeout * 1000],
};

for (const [coordinator, [failure, found]] of Object.entries(troubles)) {
  test(`the coordinator ${coordinator}: a copy that may stand in is served`, async () => {
    const path = await isr.lab(`stale-${coordinator}`, { headers: { "X-ISR-Revalidate": "false" } });
    const { body } = await isr.fetch(path);
    assert.equal((await isr.revalidate({ path })).status, 200);
    await isr.trouble({ coordinator });
    const answer = await isr.fetch(path);
    await isr.trouble({});
    assert.deepEqual([answer.status, answer.isr, answer.body], [200, "STALE", body]);
    assert.deepEqual(answer.cacheStatus, { cache: "cloudflare-isr", hit: true, detail: failure });
    assert.ok(answer.millis < found + 500, `${answer.millis} ms`);
    assert.equal((await isr.fetch(path)).isr, "MISS", "and all is well again");
  });

  test(`the coordinator ${coordinator}: what another request has brought into L1 is found there`, async () => {
    const path = await isr.lab(`l1-${coordinator}`, {});
    await isr.trouble({ coordinator });
    const waiting = isr.fetch(path);
    await sleep(50);
    await isr.trouble({});
    const { body } = await isr.fetch(path);
    const answer = await waiting;
    assert.deepEqual([answer.status, answer.isr, answer.body], [200, "HIT", body]);
    const { ttl, ...status } = answer.cacheStatus;
    assert.deepEqual(status, { cache: "cloudflare-isr", hit: true, detail: `l1-after-${failure}` });
    assert.ok(ttl > 0 && ttl <= 10);
    assert.equal(await isr.renders(`l1-${coordinator}`), 1);
  });

  test(`the coordinator ${coordinator}: the site answers, uncollapsed and uncached`, async () => {
    const path = await isr.lab(`site-${coordinator}`, {});
    await isr.trouble({ coordinator });
    const answers = await Promise.all([isr.fetch(path), isr.fetch(path)]);
    await isr.trouble({});
    for (const { status, isr, cacheStatus, millis } of answers) {
      assert.deepEqual([status, isr], [200, "SKIP"]);
      assert.deepEqual(cacheStatus, { cache: "cloudflare-isr", fwd: "uri-miss", detail: failure });
      assert.ok(millis >= (found || 600) && millis < (found || 600) + 900, `${millis} ms`);
    }
    assert.deepEqual(new Set(answers.map(({ render }) => render)), new Set([1, 2]));
    assert.deepEqual(await isr.stored(path), []);
    assert.equal((await isr.fetch(path)).isr, "MISS");
  });
}

test("a failure that another try may mend, as the platform says, is not seen by the visitor", async () => {
  const path = await isr.lab("flickers", {});
  await isr.trouble({ coordinator: "flickers" });
  assert.deepEqual([(await isr.fetch(path)).isr, await isr.renders("flickers")], ["MISS", 1]);
});

test("a stale page is served while its coordinator can't be told of it, and replaced when it can", async () => {
  const path = await isr.lab("untold", { headers: { "X-ISR-Revalidate": "1" } });
  await isr.fetch(path);
  await isr.trouble({ coordinator: "throws" });
  await isr.untilStatus(path, "STALE");
  await sleep(1500);
  const stale = await isr.fetch(path);
  assert.deepEqual([stale.status, stale.isr, stale.render], [200, "STALE", 1]);
  await isr.trouble({});
  assert.equal((await isr.untilStatus(path, "HIT")).render, 2);
});

test("while the tag index fails, a page whose tags it does not know is shown as it comes, and not stored", async () => {
  const path = await isr.lab("untagged", { bytes: 50_000, chunks: 5, chunk_delay_ms: 100, headers: { "Cache-Tag": "new-tag" } });
  await isr.trouble({ tagIndex: "throws" });
  const answer = await isr.fetch(path);
  await isr.trouble({});
  assert.deepEqual([answer.status, answer.isr, answer.cacheStatus.detail], [200, "SKIP", "tag-index"]);
  assert.ok(answer.body.equals(Buffer.from(numbered(50_000))));
  assert.deepEqual([answer.headers.get("cache-control"), await isr.stored(path)], ["no-store", []]);
  const stored = await isr.untilStatus(path, "MISS");
  assert.deepEqual([(await isr.fetch(path)).isr, (await isr.fetch(path)).render], ["HIT", stored.render]);
});

test("while L2 refuses writes, a page is answered from memory; when it takes them again, it gets the page", async () => {
  const path = await isr.lab("unwritable", {});
  await isr.trouble({ kv: "refuses" });
  const { body } = await isr.fetch(path);
  const far = await isr.ask("far-away", path);
  assert.deepEqual([far.isr, far.cacheStatus.detail, far.render], ["HIT", "coordinator", 1]);
  assert.deepEqual([far.body, await isr.stored(path)], [body, []]);
  await isr.trouble({});
  await until("L2", async () => (await isr.stored(path)).length);
  assert.equal(await isr.renders("unwritable"), 1);
});

test("over the bounds of a coordinator: renders are queued for a while, and past that the site answers", async () => {
  // 4 at a time wait 2 s for the head of a response; 200 are queued, each for 10 s at most.
  const crowded = await start({ isr: config({ miss_timeout: 30 }) });
  const names = Array.from({ length: 260 }, (_, n) => `crowded-${n}`);
  await crowded.fetch("/lab/warm");
  const paths = [];
  for (const name of names) paths.push(await crowded.lab(name, { delay_ms: 2000 }));
  const answers = await Promise.all(paths.map((path) => crowded.fetch(path, { timeout: 60_000 })));

  assert.ok(answers.every(({ status }) => status === 200));
  const count = (isr, detail) => answers.filter((a) => a.isr === isr && a.cacheStatus.detail === detail).length;
  const [rendered, full, late] = [count("MISS"), count("SKIP", "queue-full"), count("SKIP", "queue-timeout")];
  assert.equal(rendered + full + late, answers.length, answers.map((a) => `${a.isr} ${a.cacheStatus.detail}`).join());
  assert.ok(rendered >= 8 && full >= 1 && late >= 1, `${rendered} rendered, ${full} over the queue, ${late} too late`);
});
