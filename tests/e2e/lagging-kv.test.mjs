/**
 * Four colos that see KV a minute late, each with its own isolate and L1. Invalidations are sent through a fifth
 * gateway, so that none passes through the four.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { atOnce, late, laggingKv, showAll, written } from "./lagging-kv.mjs";
import { colo, config, start, until } from "./harness.mjs";

const bound = 1;
const names = ["colo-1", "colo-2", "colo-3", "colo-4"];
const [first, ...others] = names;
const pagesOfATag = 8;

let isr;
before(async () => {
  const settings = config({ freshness_bound: bound }, { "/lab/[name]": { revalidate: false, shards: 4 } });
  isr = await start({ isr: settings, ...atOnce, workers: [laggingKv, ...names.map((name) => colo(name, settings, late))] });
});

const everywhere = (path) => Promise.all(names.map((name) => isr.ask(name, path)));

const wherefrom = ({ isr, cacheStatus: { detail }, text }) => [isr, detail, text];

/** Says what a page is from now on: its text, its tags, and how else it behaves. */
const site = (name, body, tag, behaviour = {}) => isr.lab(name, { body, headers: { "Cache-Tag": tag }, ...behaviour });

/** Asks for all pages in all colos, again and again, and tells what was asked for when, until `isOver` says so. */
async function watch(paths, isOver) {
  const [seen, began] = [[], performance.now()];
  const ask = async (name, path) => {
    const asked = performance.now();
    const answer = await isr.ask(name, path);
    seen.push({ name, path, asked, answer });
  };
  do {
    await Promise.all(names.flatMap((name) => paths.map((path) => ask(name, path))));
    assert.ok(performance.now() < began + 20_000, "it is not over after 20 s");
  } while (!isOver(seen));
  return seen;
}

/** Returns, for each such page, when each colo gave its first answer, or never. */
function firstOfEach(seen, paths, isLike) {
  return names.flatMap((name) =>
    paths.map((path) => seen.find((one) => one.name === name && one.path === path && isLike(one.answer))?.asked ?? Infinity),
  );
}

test("a page that another colo has had rendered comes from the coordinator while KV does not show it", async () => {
  const path = await site("cold", "a page", "cold");
  assert.deepEqual(wherefrom(await isr.ask(first, path)), ["MISS", undefined, "a page"]);
  for (const name of others) assert.deepEqual(wherefrom(await isr.ask(name, path)), ["HIT", "coordinator", "a page"], name);
  assert.equal(await isr.renders("cold"), 1);
});

test("a page that KV shows comes from there", async () => {
  const path = await site("shown", "a page", "shown");
  await isr.ask(first, path);
  await until("the write to KV", async () => (await isr.stored(path)).length);
  await showAll(isr);
  for (const name of others) assert.deepEqual(wherefrom(await isr.ask(name, path)), ["HIT", "l2", "a page"], name);
});

test("a page that four colos ask for at once is rendered once", async () => {
  const path = await site("at-once", "a page", "at-once", { delay_ms: 500 });
  const answers = await everywhere(path);
  assert.deepEqual(answers.map(({ text }) => text), Array(4).fill("a page"));
  assert.equal(await isr.renders("at-once"), 1);
});

for (const mode of ["expire", "stale", "purge"]) {
  test(`no colo serves the old page as fresh later than freshness_bound, and each page is rendered once (${mode})`, async () => {
    const tag = `all-${mode}`;
    const pages = Array.from({ length: pagesOfATag }, (_, n) => `${tag}-${n}`);
    const paths = await Promise.all(pages.map((page) => site(page, "old", tag)));
    await Promise.all(paths.map((path) => isr.fetch(path)));
    await until("the writes to KV", async () => (await isr.stored(`/lab/${tag}-`)).length === pagesOfATag);
    await showAll(isr);
    // Each colo has half of the pages in its L1. Of the others it knows what KV shows, which is the old page.
    const halves = names.flatMap((name, n) => paths.filter((_, page) => (page + n) % 2).map((path) => isr.ask(name, path)));
    for (const answer of await Promise.all(halves)) assert.deepEqual(wherefrom(answer), ["HIT", "l2", "old"]);
    await Promise.all(pages.map((page) => site(page, "new", tag)));

    const { status, json } = await isr.revalidate({ tag, mode });
    const acknowledged = performance.now();
    assert.deepEqual([status, json.invalidations[0].pages.matched], [200, pagesOfATag]);
    const seen = await watch(paths, () => performance.now() > acknowledged + 3000 * bound);

    const isOld = ({ text, isr }) => text !== "new" && (mode !== "stale" || isr !== "STALE");
    const tooLate = seen.filter(({ asked, answer }) => isOld(answer) && asked > acknowledged + 1000 * bound);
    assert.deepEqual(tooLate.map(({ name, path, asked }) => `${path} in ${name} after ${asked - acknowledged} ms`), []);
    const texts = new Set(seen.map(({ answer }) => answer.text));
    assert.ok(texts.isSubsetOf(new Set(["old", "new"])), [...texts].join());
    assert.ok(firstOfEach(seen, paths, (answer) => answer.text === "new" && answer.isr === "HIT").every(Number.isFinite));
    assert.deepEqual(await Promise.all(pages.map((page) => isr.renders(page))), Array(pagesOfATag).fill(2));
  });
}

test("a purged page that KV still shows stands in for nothing", async () => {
  const path = await site("purged", "old", "purged");
  await isr.fetch(path);
  await until("the write to KV", async () => (await isr.stored(path)).length);
  await showAll(isr);
  assert.deepEqual(wherefrom(await isr.ask(first, path)), ["HIT", "l2", "old"]);
  await site("purged", "broken", "purged", { status: 500 });

  assert.equal((await isr.revalidate({ tag: "purged", mode: "purge" })).status, 200);
  const acknowledged = performance.now();
  await until("the deletion in KV", async () => (await written(isr, path)).at(-1) === null);
  const seen = await watch([path], () => performance.now() > acknowledged + 2000 * bound);

  const tooLate = seen.filter(({ asked, answer }) => answer.text === "old" && asked > acknowledged + 1000 * bound);
  assert.deepEqual(tooLate.map(({ name, answer }) => `${answer.isr} in ${name}`), []);
});

for (const [label, known] of [["that it is known to carry", true], ["that is first seen in that very response", false]]) {
  test(`a page that is being rendered while a tag is invalidated ${label} is not published`, async () => {
    const [name, tag] = [`race-${known}`, `race-${known}`];
    const path = await site(name, "first", known ? tag : "another");
    if (known) {
      await isr.fetch(path);
      await isr.revalidate({ path });
    }
    const renders = await isr.renders(name);
    await site(name, "outdated", tag, { delay_ms: 1500 });
    const early = isr.ask(first, path);
    await until("the render", async () => (await isr.renders(name)) === renders + 1);
    await site(name, "new", tag);

    assert.equal((await isr.revalidate({ tag })).status, 200);
    const seen = await watch([path], (seen) => firstOfEach(seen, [path], ({ isr }) => isr === "HIT").every(Number.isFinite));
    assert.deepEqual([...new Set([await early, ...seen.map(({ answer }) => answer)].map(({ text }) => text))], ["new"]);
    await until("the write to KV", async () => (await written(isr, path)).some((value) => value?.endsWith("new")));
    assert.ok(!(await written(isr, path)).some((value) => value?.endsWith("outdated")), "it is not in KV either");
    assert.equal(await isr.renders(name), renders + 2);
  });
}

test("a page that is being rendered behind a stale one while a tag is invalidated that it is about to get is not published", async () => {
  const name = "race-behind";
  const headers = { "X-ISR-Revalidate": "1" };
  const path = await isr.lab(name, { body: "first", headers });
  await everywhere(path);
  await isr.lab(name, { body: "outdated", delay_ms: 1500, headers: { "Cache-Tag": name } });
  await until("the render", async () => {
    await everywhere(path);
    return (await isr.renders(name)) === 2;
  });
  await isr.lab(name, { body: "new", headers: { "Cache-Tag": name } });

  assert.equal((await isr.revalidate({ tag: name })).status, 200);
  const isNew = ({ text, isr }) => text === "new" && isr === "HIT";
  const seen = await watch([path], (seen) => firstOfEach(seen, [path], isNew).every(Number.isFinite));
  assert.deepEqual([...new Set(seen.map(({ answer }) => `${answer.text} ${answer.isr}`))].sort(), ["first STALE", "new HIT"]);
  assert.ok(!(await written(isr, path)).some((value) => value?.endsWith("outdated")), "it is not in KV either");
  assert.equal(await isr.renders(name), 3);
});
