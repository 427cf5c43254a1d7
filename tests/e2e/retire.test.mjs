/** The coordinator of a route that leaves the configuration ends, and works again when the route returns. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { config, newFolder, start, until } from "./harness.mjs";

const stays = { "/lab/stays": { revalidate: 600 } };
const present = { ...config(), routes: { ...stays, "/lab/[name]": { revalidate: 600 } } };
const absent = { ...config(), routes: stays };

test("a removed route leaves nothing in L2, and begins anew when it returns", async () => {
  const folder = await newFolder();
  let isr = await start({ folder, isr: present });
  const path = await isr.lab("retired", { body: "first", headers: { "Cache-Tag": "retired" } });
  const other = await isr.lab("stays", { body: "it stays" });
  await isr.fetch(other);
  assert.equal((await isr.fetch(path)).isr, "MISS");
  await until("the page is in L2", async () => (await isr.stored(path)).length === 1);
  await isr.kill();

  isr = await start({ folder, isr: absent });
  assert.equal((await isr.revalidate({ tags: ["another"] })).status, 200);
  await until("the page has left L2", async () => (await isr.stored(path)).length === 0, { timeout: 60_000, every: 500 });
  assert.equal((await isr.fetch(other)).isr, "HIT", "the other route keeps its page");
  await isr.kill();

  // Another colo: an L1 that still has the page may serve it, because nothing was invalidated.
  isr = await start({ folder, isr: { ...present, cache_name: "another-colo" } });
  await isr.lab("retired", { body: "second", headers: { "Cache-Tag": "retired" } });
  const anew = await isr.fetch(path);
  assert.deepEqual([anew.status, anew.isr, anew.text], [200, "MISS", "second"]);
  await isr.untilStatus(path, "HIT");
  await isr.lab("retired", { body: "third", headers: { "Cache-Tag": "retired" } });
  assert.equal((await isr.revalidate({ tags: ["retired"] })).status, 200);
  const invalidated = await isr.fetch(path);
  assert.deepEqual([invalidated.isr, invalidated.text], ["MISS", "third"], "its tags are registered again");
  assert.deepEqual(isr.logs.filter((line) => /panicked|RuntimeError/.test(line)), []);
});
