/** A coordinator that hangs: the caller of many invalidations waits for it once. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { start } from "./harness.mjs";

const tags = Array.from({ length: 18 }, (_, n) => `tag-${n}`);

let isr;
before(async () => (isr = await start({ troubled: true })));

test("18 tags beside a coordinator that hangs: the call takes as long as one", async () => {
  const path = await isr.lab("tagged", { body: "a page", headers: { "Cache-Tag": tags.join(",") } });
  await isr.fetch(path);
  await isr.trouble({ coordinator: "hangs" });
  const answer = await isr.revalidate({ tags });
  assert.equal(answer.status, 200, answer.text);
  assert.ok(answer.millis < 10_000, `it took ${answer.millis} ms`);
  await isr.trouble({});
  const { seq } = answer.json.invalidations?.at(-1) ?? {};
  assert.ok(seq > 0, answer.text);
});
