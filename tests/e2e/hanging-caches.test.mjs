/** A KV whose reads hang, and a Cache API that hangs: a visitor gets the page nevertheless. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { start, until } from "./harness.mjs";

let isr;
before(async () => (isr = await start({ troubled: true })));

test("a visitor does not wait for a KV that hangs", async () => {
  const path = await isr.lab("kv-hangs", { body: "a page" });
  await isr.trouble({ kv: "reads-hang" });
  const answer = await isr.fetch(path);
  assert.deepEqual([answer.status, answer.isr, answer.text], [200, "MISS", "a page"]);
  // A read takes ten minutes.
  assert.ok(answer.millis < 60_000, `it took ${answer.millis} ms`);
});

test("a visitor does not wait for a Cache API that hangs", async () => {
  await isr.trouble({});
  const path = await isr.lab("l1-hangs", { body: "a page" });
  await isr.fetch(path);
  await until("a HIT", async () => (await isr.fetch(path)).isr === "HIT");
  await isr.trouble({ l1: "hangs" });
  const visits = await Promise.all(Array.from({ length: 20 }, () => isr.fetch(path)));
  for (const { status, isr: outcome, text, millis } of visits) {
    assert.deepEqual([status, outcome, text], [200, "HIT", "a page"]);
    assert.ok(millis < 60_000, `it took ${millis} ms`);
  }
});
