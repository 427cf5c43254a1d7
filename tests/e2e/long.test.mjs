/** Behaviour that takes a minute to observe: a slow background render, and an origin that fails for long. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { config, start, until } from "./harness.mjs";

const pages = Array.from({ length: 20 }, (_, n) => `failing-${n}`);

let isr;
before(async () => {
  // A route of its own, so that the breaker of the other does not hold it back.
  isr = await start({ isr: config({ render_timeout: 60 }, { "/lab/slow-behind": { revalidate: 1 } }) });
});

// They share the minute.
test("a minute", { concurrency: true }, async (t) => {
  const slow = t.test("a render behind a stale page may take 40 s, and is published though nobody waits for it", async () => {
    const path = "/lab/slow-behind";
    const first = await isr.fetch(path);
    await isr.lab("slow-behind", { delay_ms: 40_000, headers: { "X-ISR-Revalidate": "600" } });
    const stale = await isr.untilStatus(path, "STALE");
    assert.ok(stale.body.equals(first.body));
    await sleep(43_000);
    const renewed = await until("the new page", async () => {
      const answer = await isr.fetch(path);
      assert.equal(answer.status, 200);
      return answer.isr === "HIT" && answer;
    });
    assert.deepEqual([renewed.render, await isr.renders("slow-behind")], [2, 2]);
  });

  const failing = t.test("a site that fails for a minute under constant traffic is asked a bounded number of times", async () => {
    const headers = { "X-ISR-Revalidate": "1" };
    const good = new Map();
    for (const name of pages) {
      const path = await isr.lab(name, { headers });
      good.set(path, await isr.fetch(path));
    }
    for (const name of pages) await isr.lab(name, { status: 503, headers });
    await sleep(1000);

    const wrong = [];
    let visits = 0;
    const visitor = async (path, end) => {
      for (; performance.now() < end; await sleep(250)) {
        const answer = await isr.fetch(path);
        visits += 1;
        if (answer.isr !== "STALE" || !answer.body.equals(good.get(path).body)) {
          wrong.push([path, answer.status, answer.isr, answer.cacheStatus]);
        }
      }
    };
    const end = performance.now() + 60_000;
    await Promise.all([...good.keys()].map((path) => visitor(path, end)));
    assert.deepEqual(wrong, [], `of ${visits} visits`);
    assert.ok(visits > 1000, `${visits} visits`);

    // Twelve pages until the breaker opens. Then the other pages probe, one a second, and after that pages that have failed,
    // one in six seconds.
    const renders = await Promise.all(pages.map((name) => isr.renders(name)));
    const attempts = renders.reduce((sum, count) => sum + count - 1, 0);
    assert.ok(attempts >= 8 && attempts <= pages.length + 15, `${attempts} attempts for ${visits} visits`);
  });
  await Promise.all([slow, failing]);
});
