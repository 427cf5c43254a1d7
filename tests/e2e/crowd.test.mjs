/** Many requests of one isolate for a page that it does not have: few of them reach the coordinator. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { start } from "./harness.mjs";

const crowd = 200;
let isr;
before(async () => (isr = await start({ main: ["tests/e2e/crowd.mjs"] })));

const calls = async () => (await isr.fetch("/coordinator-calls")).json;

/** Sends the crowd, and returns its answers and the number of calls of the coordinator. */
async function send(path, options) {
  await calls();
  const answers = await Promise.all(Array.from({ length: crowd }, () => isr.fetch(path, options)));
  return { answers, asked: await calls() };
}

test("200 requests for a cold page are a handful of calls, and all get the page", async () => {
  const path = await isr.lab("crowd-of-one-isolate", { delay_ms: 300 });
  const { answers, asked } = await send(path);
  const [{ body }] = answers;
  assert.ok(answers.every((answer) => answer.status === 200 && answer.body.equals(body)));
  assert.equal(await isr.renders("crowd-of-one-isolate"), 1);
  // One asks, and another one for each second that it takes on a busy machine.
  assert.ok(asked >= 1 && asked <= crowd / 10, `${asked} calls`);
});

test("200 requests for a page that is not stored are a handful of calls, and all go to the origin", async () => {
  const path = await isr.lab("crowd-of-private", { delay_ms: 300, headers: { "Cache-Control": "private" } });
  const { answers, asked } = await send(path);
  assert.ok(answers.every((answer) => answer.status === 200 && answer.isr === "SKIP"));
  assert.ok(asked <= crowd / 10, `${asked} calls`);
});

test("a single miss asks once", async () => {
  const path = await isr.lab("alone", { body: "a page" });
  await calls();
  assert.equal((await isr.fetch(path)).isr, "MISS");
  assert.equal(await calls(), 1);
});
