/** The targets of invalidations besides paths and tags, their effect on stored pages, and their progress. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { adminToken, config, start, until } from "./harness.mjs";

let isr;
before(async () => {
  const routes = { "/lab/below/*": {}, "/lab/by-route/*": { shards: 4 } };
  isr = await start({ isr: config({ refresh_rate: 50 }, routes) });
});

/** Sets up pages, `{ name: tags }`, and sees to it that they are stored. */
async function pages(tagged) {
  const paths = [];
  for (const [name, tags] of Object.entries(tagged)) {
    const path = await isr.lab(name, { body: `${name}: old`, headers: { "X-ISR-Revalidate": "false", ...(tags && { "Cache-Tag": tags }) } });
    await isr.fetch(path);
    assert.equal((await isr.fetch(path)).isr, "HIT");
    paths.push(path);
  }
  return paths;
}

const statuses = (paths) => Promise.all(paths.map(async (path) => (await isr.fetch(path)).isr));

async function invalidate(body) {
  const { status, json } = await isr.revalidate(body);
  assert.equal(status, 200, JSON.stringify(json));
  return json.invalidations[0];
}

test("several tags at once: a receipt for each, in order", async () => {
  const paths = await pages({ "tags-a": "first", "tags-b": "second", "tags-c": "third" });
  const { json } = await isr.revalidate({ tags: ["first", "second"] });
  assert.deepEqual(json.invalidations.map(({ tag, pages }) => [tag, pages.matched]), [["first", 1], ["second", 1]]);
  assert.deepEqual(await statuses(paths), ["MISS", "MISS", "HIT"]);
});

test("everything, and then nothing more", async () => {
  const paths = await pages({ "all-a": "", "all-b": "x" });
  const receipt = await invalidate({ everything: true });
  assert.ok(receipt.everything && receipt.pages.matched >= 2 && receipt.shards.pending === 0, JSON.stringify(receipt));
  assert.deepEqual(await statuses(paths), ["MISS", "MISS"]);
  assert.deepEqual(await statuses(paths), ["HIT", "HIT"]);
});

test("a prefix: all below it, and nothing beside it", async () => {
  const paths = await pages({ "prefix-a": "", "prefix-b": "" });
  await invalidate({ prefix: "/lab/prefix" });
  assert.deepEqual(await statuses(paths), ["HIT", "HIT"], "a prefix ends where a segment ends");
  await invalidate({ prefix: "/lab/prefix-a" });
  assert.deepEqual(await statuses(paths), ["MISS", "HIT"]);
  await invalidate({ prefix: "/lab" });
  assert.deepEqual(await statuses(paths), ["MISS", "MISS"]);
});

test("a route: all of its pages, and those of no other", async () => {
  const [path] = await pages({ "of-a-route": "" });
  await invalidate({ route: "/lab/by-route/*" });
  assert.deepEqual(await statuses([path]), ["HIT"]);
  await invalidate({ route: "/lab/[name]" });
  assert.deepEqual(await statuses([path]), ["MISS"]);
});

test("stale: the old page once more, and a fresh one behind it", async () => {
  const [path] = await pages({ soft: "soft" });
  await isr.lab("soft", { body: "new", headers: { "X-ISR-Revalidate": "false", "Cache-Tag": "soft" } });
  await invalidate({ tag: "soft", mode: "stale" });
  const old = await isr.fetch(path);
  assert.deepEqual([old.isr, old.text], ["STALE", "soft: old"]);
  await until("the new page", async () => (await isr.fetch(path)).text === "new");
  assert.equal((await isr.fetch(path)).isr, "HIT");
});

test("purge: the bytes leave L2 by themselves, and stand in for nothing", async () => {
  const [path, kept] = await pages({ "purged": "gone", "not-purged": "" });
  await until("L2 to have both", async () => (await isr.stored("/lab")).filter((key) => /purged$/.test(key)).length === 2);
  const receipt = await invalidate({ tag: "gone", mode: "purge" });
  assert.deepEqual([receipt.mode, receipt.pages.matched], ["purge", 1]);
  await until("the page to leave L2", async () => !(await isr.stored("/lab")).some((key) => key.endsWith(path)));
  assert.ok((await isr.stored("/lab")).some((key) => key.endsWith(kept)));
  await isr.lab("purged", { status: 500, body: "broken" });
  const answer = await isr.fetch(path);
  assert.deepEqual([answer.status, answer.text], [500, "broken"], "expire would have shown the old page");
});

test("eager: pages are rendered again though nobody asks, and the progress adds up", async () => {
  const names = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`eager-${n}`, "eager"]));
  const paths = await pages(names);
  for (const name of Object.keys(names)) {
    await isr.lab(name, { body: "new", status: name === "eager-7" ? 500 : 200, headers: { "X-ISR-Revalidate": "false", "Cache-Tag": "eager" } });
  }
  const { seq, ...receipt } = await invalidate({ tag: "eager", mode: "stale", refresh: "eager" });
  assert.deepEqual([receipt.refresh, receipt.pages.matched], ["eager", 12]);
  const progress = async () => (await isr.fetch(`/__isr/invalidations/${seq}`, { headers: { authorization: `Bearer ${adminToken}` } })).json;
  await until("all to be dealt with", async () => (await progress()).pages?.pending === 0);
  const { pages: told, doneAt } = await progress();
  assert.deepEqual(told, { matched: 12, refreshed: 11, failed: 1, pending: 0 });
  assert.ok(doneAt > Date.now() - 60_000);
  const renders = await Promise.all(Object.keys(names).map((name) => isr.renders(name)));
  assert.deepEqual(renders, Array(12).fill(2), "once each, and nobody has asked");
  // L1 has the old pages still: each is shown once more, and replaced by what is there already.
  const texts = async () => (await Promise.all(paths.map((path) => isr.fetch(path)))).map(({ text }) => text);
  await until("the new pages", async () => (await texts()).filter((text) => text === "new").length === 11);
});

test("the progress of a lazy invalidation is what visitors have had rendered again", async () => {
  const paths = await pages({ "lazy-a": "lazy", "lazy-b": "lazy" });
  const { seq } = await invalidate({ tag: "lazy" });
  const progress = async () => (await isr.fetch(`/__isr/invalidations/${seq}`, { headers: { authorization: `Bearer ${adminToken}` } })).json.pages;
  assert.deepEqual(await progress(), { matched: 2, refreshed: 0, failed: 0, pending: 2 });
  await isr.fetch(paths[0]);
  assert.deepEqual(await progress(), { matched: 2, refreshed: 1, failed: 0, pending: 1 });
});

test("what is asked for wrongly is named with its remedy", async () => {
  for (const [body, message] of [
    [{}, /name what to invalidate/],
    [{ paths: ["/a"] }, /unknown field "paths"/],
    [{ tag: "x", mode: "soft" }, /`mode` must be "expire"/],
    [{ prefix: "/a?b" }, /without query/],
  ]) {
    const { status, json } = await isr.revalidate(body);
    assert.equal(status, 400);
    assert.match(json.error.message, message);
  }
  const unknown = await isr.fetch("/__isr/invalidations/999999", { headers: { authorization: `Bearer ${adminToken}` } });
  assert.deepEqual([unknown.status, unknown.json.error.code], [404, "not_found"]);
  assert.equal((await isr.fetch("/__isr/invalidations/1")).status, 401);
});
