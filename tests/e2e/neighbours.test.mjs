/**
 * Two deployments on one zone, which share the Cache API. The settings give all of them the same cache and the same host, as far as
 * settings can.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { adminToken, colo, config, neighbour, start, until } from "./harness.mjs";

const shared = { freshness_bound: 2, cache_name: "shared", canonical_origin: "https://example.com" };
const settings = config(shared);

/** The observed edge of production is a Worker of its own: the one that accepts invalidations knows of them anyway. */
let isr;
before(async () => {
  isr = await start({
    isr: config({ ...shared, cache_name: "of-the-entrance" }),
    workers: [colo("shared", settings), neighbour("staging", settings)],
  });
});

const production = (path) => isr.ask("shared", path);
const staging = (path, init) => isr.ask("staging", path, init);

/** Invalidates many tags in staging, so that its log is longer than production's. */
async function edit() {
  for (let batch = 0; batch < 3; batch += 1) {
    const tags = Array.from({ length: 100 }, (_, tag) => `staging-${batch}-${tag}`);
    const body = JSON.stringify({ tags });
    const headers = { authorization: `Bearer ${adminToken}`, "content-length": String(body.length) };
    const answer = await staging("/__isr/revalidate", { method: "POST", headers, body });
    assert.equal(answer.status, 200, answer.text);
  }
}

test("an answer of a neighbour's feed makes no edge current", async () => {
  const path = await isr.lab("neighbour", { headers: { "X-ISR-Revalidate": "false", "Cache-Tag": "neighbour" } });
  await edit();
  // Staging asks its feed, and shares the answers with the colo, before production asks for the first time.
  assert.equal((await staging(path)).isr, "MISS");
  await until("the page of production", async () => (await production(path)).isr === "HIT");

  const rendered = (await production(path)).render;
  assert.equal((await isr.revalidate({ tag: "neighbour" })).status, 200);
  const renewed = await until("the page after the invalidation", async () => {
    await staging(path);
    const answer = await production(path);
    return answer.render > rendered && answer;
  });
  assert.equal(renewed.status, 200);
});

test("neighbours never serve each other's pages, nor each other's markers of pages that are not stored", async () => {
  const path = await isr.lab("theirs", { headers: { "X-ISR-Revalidate": "false" } });
  await until("the page of production", async () => (await production(path)).isr === "HIT");
  const own = await staging(path);
  assert.deepEqual([own.isr, own.render], ["MISS", 2]);
  assert.deepEqual([(await staging(path)).render, (await production(path)).render], [2, 1]);

  const passed = await isr.lab("passed", { headers: { "X-ISR-Revalidate": "0" } });
  /** How often the site renders the page for one request: with a marker, only for the visitor. */
  const rendersOf = async (visit) => {
    const before = await isr.renders("passed");
    await visit(passed);
    return (await isr.renders("passed")) - before;
  };
  await until("the marker of production", async () => (await rendersOf(production)) === 1);
  assert.equal(await rendersOf(staging), 2, "one for the cache, and one for the visitor");
});
