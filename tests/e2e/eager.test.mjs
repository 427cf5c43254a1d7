/** An eager refresh of many pages, killed in the middle. `ISR_E2E_EAGER_PAGES=10000` sets the documented maximum. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { adminToken, config, newFolder, start, until } from "./harness.mjs";

const pages = Number(process.env.ISR_E2E_EAGER_PAGES ?? 1000);
const shards = 4;
const kills = 2;

/** Renders that the alarm of a shard has under way at the most: those are the ones that a kill makes it begin again. */
const driven = 6;

/** How long the refresh may take, and how often the test checks it. */
const patience = { timeout: 60_000 + 100 * pages, every: 200 };

const settings = config({ refresh_rate: 100 }, { "/lab/[name]": { revalidate: false, shards, tags: ["all"] } });

/** Does something for each page, a few at a time. */
async function withEach(names, act, atATime = 16) {
  const rest = names.values();
  const one = async () => {
    for (const name of rest) await act(name);
  };
  await Promise.all(Array.from({ length: atATime }, one));
}

/** Fills the cache, and has all of its pages rendered again. Returns the number of the invalidation. */
async function refresh(isr, names) {
  await withEach(names, (name) => isr.fetch(`/lab/${name}`));
  const { json } = await isr.revalidate({ tag: "all", mode: "stale", refresh: "eager" });
  const [{ seq, pages: { matched } }] = json.invalidations;
  assert.equal(matched, names.length);
  return seq;
}

async function progress(isr, seq) {
  const headers = { authorization: `Bearer ${adminToken}` };
  // Right after a start, with work waiting in all of the objects, it may take a while.
  return (await isr.fetch(`/__isr/invalidations/${seq}`, { headers, timeout: 60_000 })).json;
}

test(`an eager refresh of ${pages} pages that is killed twice goes on where it was`, async () => {
  const folder = await newFolder();
  let isr = await start({ folder, isr: settings });
  const names = Array.from({ length: pages }, (_, n) => `killed-${n}`);
  const seq = await refresh(isr, names);
  for (let kill = 1; kill <= kills; kill += 1) {
    const part = Math.floor((pages * kill) / (kills + 1));
    await until(`${part} pages`, async () => (await progress(isr, seq)).pages.refreshed >= part, patience);
    await isr.kill();
    isr = await start({ folder, isr: settings });
  }
  const told = await until("all pages", async () => {
    const told = (await progress(isr, seq)).pages;
    return told.refreshed + told.failed >= pages && told;
  }, patience);
  assert.deepEqual(told, { matched: pages, refreshed: pages, failed: 0, pending: 0 });

  const renders = [];
  await withEach(names, async (name) => renders.push(await isr.renders(name)));
  assert.deepEqual(renders.filter((count) => count < 2), [], "each page was rendered once more");
  const again = renders.reduce((sum, count) => sum + count - 2, 0);
  assert.ok(again <= kills * shards * driven, `${again} renders too many`);
});

test("the progress adds up from the acknowledgement on", async () => {
  const isr = await start({ isr: settings });
  const names = Array.from({ length: 40 }, (_, n) => `adds-up-${n}`);
  for (let round = 0; round < 5; round += 1) {
    const { matched, refreshed, failed, pending } = (await progress(isr, await refresh(isr, names))).pages;
    assert.equal(refreshed + failed + pending, matched, `of ${matched}: ${refreshed} refreshed, ${pending} pending`);
    await isr.revalidate({ tag: "all" });
  }
});

test("an end is told only when all shards have come to theirs", async () => {
  const isr = await start({ isr: settings });
  const names = Array.from({ length: 40 }, (_, n) => `end-${n}`);
  await withEach(names, (name) => isr.fetch(`/lab/${name}`));
  await isr.lab("end-0", { delay_ms: 2000 });
  const seq = await refresh(isr, names);
  const told = await until("an end", async () => {
    const told = await progress(isr, seq);
    return told.doneAt !== null && told;
  });
  assert.deepEqual(told.pages, { matched: 40, refreshed: 40, failed: 0, pending: 0 });
});

test("pages that take a while are rendered as many at a time as the alarm may have under way", async () => {
  const routes = { "/lab/[name]": { revalidate: false, tags: ["all"] } };
  const isr = await start({ isr: config({ refresh_rate: 100 }, routes) });
  const names = Array.from({ length: 60 }, (_, n) => `slow-${n}`);
  const delay = 100;
  await withEach(names, (name) => isr.lab(name, { delay_ms: delay }));
  // What as many visitors at a time take is the measure: the machine may be busy.
  const took = async (act) => {
    const began = performance.now();
    await act();
    return performance.now() - began;
  };
  const visitors = await took(() => withEach(names, (name) => isr.fetch(`/lab/${name}`), driven));
  const seq = await refresh(isr, names);
  const refreshed = async () => (await progress(isr, seq)).pages.refreshed === names.length;
  const alarm = await took(() => until("all pages", refreshed, { timeout: 60_000 }));
  assert.ok(alarm < 4 * visitors, `${Math.round(alarm)} ms, where visitors took ${Math.round(visitors)} ms`);
});
