/** Tags: many, long, in any script. No page becomes uncacheable by its tags, and no invalidation of one is lost. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

let isr;

/** The bytes of a text as UTF-8, in the form in which Node.js writes them into a header. */
const utf8 = (text) => Buffer.from(text, "utf8").toString("latin1");
const numbered = (name, number, length = 0) => Array.from({ length: number }, (_, n) => `${name}-${String(n).padStart(length, "0")}`);

const tags = {
  "/120": numbered("a", 120),
  "/1000": numbered("b", 1000),
  "/16-kib": numbered("c", 100, 150),
  "/next": ["_N_T_/layout", "_N_T_/товары", "_N_T_/товары/[slug]/page"],
  "/kanji": ["記事", "naïve"],
  "/spaces": ["two words", "a/b?c=d;e"],
  "/long": ["d".repeat(300), "e".repeat(1000)],
  "/both": ["товары", "both"],
};
const beyond = { "/1500": numbered("f", 1500), "/40-kib": numbered("g", 200, 200) };
const malformed = { "/latin1": ["caf\u00e9", "good"] };

before(async () => {
  const origin = await originOf(({ url }, response) => {
    const path = `/${url.split("/")[1]}`;
    const headers = { "content-type": "text/html" };
    const listed = tags[path] ?? beyond[path];
    if (listed) headers["cache-tag"] = utf8(listed.join(","));
    if (malformed[path]) headers["cache-tag"] = malformed[path].join(",");
    response.writeHead(200, headers).end(url);
  });
  isr = await gatewayFor(origin, { settings: { tag_shards: 3 } });
});

const invalidated = async (tag) => (await isr.revalidate({ tag, mode: "expire" })).json.invalidations[0];

for (const [path, listed] of Object.entries(tags)) {
  test(`${path}: ${listed.length} tags are stored, and each finds the page`, async () => {
    assert.equal((await isr.fetch(path)).isr, "MISS");
    assert.equal((await isr.fetch(path)).isr, "HIT");
    const tried = listed.length > 5 ? [listed[0], listed[Math.floor(listed.length / 2)], listed.at(-1)] : listed;
    for (const tag of tried) {
      assert.equal((await invalidated(tag)).pages.matched, 1, tag);
      assert.equal((await isr.fetch(path)).isr, "MISS", tag);
      assert.equal((await isr.fetch(path)).isr, "HIT");
    }
    assert.equal((await invalidated("no such tag")).pages.matched, 0);
    assert.equal((await isr.fetch(path)).isr, "HIT");
  });
}

for (const [path, listed] of Object.entries(beyond)) {
  test(`${path}: tags beyond the bound do not keep the page from being stored, and invalidate it`, async () => {
    assert.equal((await isr.fetch(path)).isr, "MISS");
    assert.equal((await isr.fetch(path)).isr, "HIT");
    // Kept, dropped, and one that the page has never had: nobody can tell it from a dropped one.
    for (const tag of [listed[0], listed.at(-1), "of another page"]) {
      assert.equal((await invalidated(tag)).pages.matched, 1, tag);
      assert.equal((await isr.fetch(path)).isr, "MISS", tag);
      assert.equal((await isr.fetch(path)).isr, "HIT");
    }
    await isr.fetch(`${path}/again`);
    const warnings = isr.logs.filter((line) => line.includes("every invalidation by tag concerns the page"));
    assert.equal(warnings.length, 1, "the log says so once");
    await isr.revalidate({ prefix: path, mode: "purge" });
  });
}

test("a tag that can't be read does not keep the page from being stored, and invalidates it", async () => {
  assert.equal((await isr.fetch("/latin1")).isr, "MISS");
  for (const tag of ["good", "café", "anything"]) {
    assert.equal((await isr.fetch("/latin1")).isr, "HIT");
    await invalidated(tag);
    assert.equal((await isr.fetch("/latin1")).isr, "MISS", tag);
  }
  await isr.revalidate({ path: "/latin1", mode: "purge" });
});

test("a tag that no page can have is refused, and not ignored", async () => {
  for (const tag of ["a,b", " a", "a\u0001", ""]) assert.equal((await isr.revalidate({ tag })).status, 400, JSON.stringify(tag));
});

test("a purge by tag takes all of its pages", async () => {
  for (const path of ["/120/x", "/120/y"]) await isr.fetch(path);
  const purged = (await isr.revalidate({ tag: "a-7", mode: "purge" })).json.invalidations[0];
  assert.ok(purged.pages.matched >= 2);
  for (const path of ["/120/x", "/120/y"]) assert.equal((await isr.fetch(path)).isr, "MISS");
});
