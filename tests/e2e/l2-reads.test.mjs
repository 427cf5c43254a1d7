/** Many requests of one isolate for a page that L2 has and L1 does not: one of them reads L2. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { colo, config, start, until } from "./harness.mjs";

const crowd = 50;
const settings = config({}, { "/lab/[name]": { revalidate: 3600 } });

let isr;
before(async () => {
  const far = colo("far-away", settings, { main: ["tests/e2e/counted-reads.mjs"] });
  isr = await start({ isr: settings, workers: [far] });
  // The isolate has started, and has the feed.
  await isr.ask("far-away", await page("first"));
});

/** Makes a page that L2 has, and that the other colo has not seen. */
async function page(name) {
  const path = await isr.lab(name, { body: `the page ${name}` });
  await isr.fetch(path);
  await until("the page in L2", async () => (await isr.stored(path)).length > 0);
  return path;
}

const kv = (trouble) => isr.ask("far-away", "/kv", { method: "POST", body: JSON.stringify(trouble) });
const reads = async () => (await isr.ask("far-away", "/kv-reads")).json;

/** Sends a crowd to the other colo, and returns its answers and the number of reads. */
async function send(path) {
  await reads();
  const answers = await Promise.all(Array.from({ length: crowd }, () => isr.ask("far-away", path)));
  return { answers, reads: await reads() };
}

for (const delayMillis of [0, 200]) {
  test(`50 requests at once are one read of ${delayMillis} ms, and all get the page`, async () => {
    const path = await page(`crowd-${delayMillis}`);
    await kv({ delayMillis });
    const sent = await send(path);
    for (const answer of sent.answers) {
      assert.deepEqual([answer.status, answer.isr, answer.text], [200, "HIT", `the page crowd-${delayMillis}`]);
    }
    assert.equal(sent.reads, 1);
    // In L1, or in memory, if some of the crowd have come after that.
    await until("L1", async () => (await isr.ask("far-away", path)).cacheStatus.detail !== "l2");
  });
}

test("50 requests for a page that L2 does not have are one read, and one render", async () => {
  const path = await isr.lab("crowd-of-none", { body: "new" });
  await kv({ delayMillis: 200 });
  const sent = await send(path);
  assert.ok(sent.answers.every(({ status, text }) => status === 200 && text === "new"));
  assert.deepEqual([sent.reads, await isr.renders("crowd-of-none")], [1, 1]);
});

test("a read that hangs holds nobody: another request reads, and all have its page", async () => {
  const path = await page("crowd-behind-one");
  await kv({ hanging: 1 });
  const sent = await send(path);
  const got = sent.answers.filter(({ isr: outcome, text }) => outcome === "HIT" && text === "the page crowd-behind-one");
  // The first one itself gives up, and asks the coordinator.
  assert.ok(got.length >= crowd - 1, `${got.length} got the page of L2`);
  assert.ok(sent.answers.every(({ status }) => status === 200));
  assert.ok(sent.reads >= 2 && sent.reads <= 3, `${sent.reads} reads`);
});

test("a KV that hangs holds nobody for long, and has few reads", async () => {
  const path = await page("crowd-that-hangs");
  await kv({ hanging: 1000 });
  const sent = await send(path);
  await kv({});
  for (const { status, text, millis } of sent.answers) {
    assert.deepEqual([status, text], [200, "the page crowd-that-hangs"]);
    assert.ok(millis < 60_000, `it took ${millis} ms`);
  }
  // One at first, and another one for each half second in which they wait.
  assert.ok(sent.reads <= 10, `${sent.reads} reads`);
});

test("requests one after another do not wait for each other", async () => {
  const path = await page("alone");
  await kv({});
  await reads();
  assert.equal((await isr.ask("far-away", path)).cacheStatus.detail, "l2");
  assert.equal(await reads(), 1);
});
