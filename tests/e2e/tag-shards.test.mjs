/** The tag index spread over several objects: each tag has its object, and a change of their number loses nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { adminToken, config, newFolder, start } from "./harness.mjs";

const routes = { "/lab/[name]": { shards: 2 } };
const spread = (tag_shards) => config({ tag_shards, freshness_bound: 1 }, routes);
const tags = Array.from({ length: 12 }, (_, number) => `tag-${number}`);
const objects = (receipts) => new Set(receipts.map(({ seq }) => Math.floor(seq / 1e12)));

async function page(isr, name, tag) {
  const path = await isr.lab(name, { headers: { "X-ISR-Revalidate": "false", "Cache-Tag": tag } });
  return { path, tag, first: await isr.fetch(path) };
}

test("each tag is invalidated at its home, wide scopes at the root, and numbers find their way back", async () => {
  const isr = await start({ isr: spread(4) });
  const pages = await Promise.all(tags.map((tag, number) => page(isr, `page-${number}`, tag)));
  assert.deepEqual(new Set(pages.map(({ first }) => first.isr)), new Set(["MISS"]));
  for (const { path } of pages) assert.equal((await isr.fetch(path)).isr, "HIT");

  const { json } = await isr.revalidate({ tags: tags.slice(0, 11) });
  assert.deepEqual(json.invalidations.map(({ tag, pages }) => [tag, pages.matched]), tags.slice(0, 11).map((tag) => [tag, 1]));
  assert.ok(objects(json.invalidations).size > 1, "more than one object has had a part in it");
  for (const { path, tag } of pages) assert.equal((await isr.fetch(path)).isr, tag === "tag-11" ? "HIT" : "MISS", tag);
  for (const { seq, tag } of json.invalidations) {
    const progress = await isr.fetch(`/__isr/invalidations/${seq}`, { headers: { authorization: `Bearer ${adminToken}` } });
    assert.deepEqual([progress.json.tag, progress.json.pages.refreshed], [tag, 1]);
  }

  const everything = await isr.revalidate({ everything: true });
  assert.deepEqual([...objects(everything.json.invalidations)], [0]);
  for (const { path } of pages) assert.equal((await isr.fetch(path)).isr, "MISS");
});

test("a change of tag_shards: pages are rendered once again, and their tags are known at their new homes", async () => {
  const folder = await newFolder();
  let isr = await start({ folder, isr: spread(1) });
  await page(isr, "moved", "tag-1");
  await page(isr, "invalidated-before", "tag-2");
  await isr.revalidate({ tag: "tag-2" });
  for (const tag_shards of [4, 2, 1]) {
    await isr.kill();
    isr = await start({ folder, isr: spread(tag_shards) });
    const moved = await isr.fetch("/lab/moved");
    assert.notEqual(moved.isr, "HIT", `nothing from before is taken for fresh: ${tag_shards}`);
    const { render } = await isr.untilStatus("/lab/moved", "HIT");
    const { json } = await isr.revalidate({ tag: "tag-1" });
    assert.deepEqual(json.invalidations.map(({ pages, shards }) => [pages.matched, shards.pending]), [[1, 0]]);
    const renewed = await isr.fetch("/lab/moved");
    assert.deepEqual([renewed.isr, renewed.render > render], ["MISS", true]);
    assert.notEqual((await isr.fetch("/lab/invalidated-before")).isr, "HIT");
    await isr.untilStatus("/lab/moved", "HIT");
  }
});
