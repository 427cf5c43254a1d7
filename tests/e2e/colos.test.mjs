/** Two colos: isolates without knowledge of each other, each with its own L1, in front of the same KV and objects. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { colo, config, start, until } from "./harness.mjs";

const bound = 2;
const settings = config({ freshness_bound: bound });

let isr;
before(async () => (isr = await start({ isr: settings, workers: [colo("far-away", settings)] })));

const farAway = (path) => isr.ask("far-away", path);

test("a page is rendered once for both", async () => {
  const path = await isr.lab("once", { headers: { "X-ISR-Revalidate": "false" } });
  const first = await isr.fetch(path);
  const second = await farAway(path);
  assert.deepEqual([first.isr, second.isr, second.render], ["MISS", "HIT", 1]);
  assert.ok(second.body.equals(first.body));
});

test("a colo that has not heard of an invalidation serves the old page no longer than freshness_bound", async () => {
  const path = await isr.lab("bound", { headers: { "X-ISR-Revalidate": "false", "Cache-Tag": "far-tag" } });
  await isr.fetch(path);
  await until("the far copy", async () => {
    const answer = await farAway(path);
    return answer.isr === "HIT" && answer.cacheStatus.detail === undefined;
  });

  assert.equal((await isr.revalidate({ tag: "far-tag" })).status, 200);
  const acknowledged = performance.now();
  assert.deepEqual([(await isr.fetch(path)).render, await isr.renders("bound")], [2, 2]);

  let lastOld = acknowledged;
  const renewed = await until("the new page", async () => {
    const asked = performance.now();
    const answer = await farAway(path);
    if (answer.render === 2) return answer;
    lastOld = asked;
    await sleep(20);
    return false;
  });
  assert.ok(lastOld - acknowledged <= bound * 1000, `old for ${lastOld - acknowledged} ms`);
  assert.deepEqual([renewed.status, await isr.renders("bound")], [200, 2], "and it is not rendered once more for that");
});
