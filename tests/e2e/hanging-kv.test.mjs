/** A KV whose reads hang: a visitor gets the page nevertheless. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { start } from "./harness.mjs";

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
