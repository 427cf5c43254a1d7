/** The database of an object is restored to an earlier point, as docs/upgrading.md describes it: here by its files. */
import assert from "node:assert/strict";
import { cp, mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { config, newFolder, start, until } from "./harness.mjs";

/** The end of the name of the folder with the databases of a class. */
const COORDINATORS = "IsrCoordinator";
const TAG_INDEXES = "IsrTagIndex";

/** After this time without requests, the runtime has given up an object. */
const IDLE_MILLIS = 14_000;

/** Pages do not age, so only an invalidation changes what visitors get. */
const settings = (changes) => config(changes, { "/lab/[name]": { revalidate: false } });
const isr = settings({ freshness_bound: 1 });

/** Returns the folder with the databases of a class, while the runtime is stopped. */
async function databases(folder, ofClass) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const folders = found.filter((entry) => entry.isDirectory() && entry.name.endsWith(ofClass));
  assert.equal(folders.length, 1, `there is one folder with databases of ${ofClass}`);
  return path.join(folders[0].parentPath, folders[0].name);
}

/** Keeps the databases of a class as they are now. Returns the function that restores them. */
async function keep(folder, ofClass) {
  const [live, kept] = [await databases(folder, ofClass), path.join(await newFolder(), "kept")];
  await mkdir(kept);
  await cp(live, kept, { recursive: true });
  return async () => {
    // The runtime holds the folder itself open.
    for (const file of await readdir(live)) await rm(path.join(live, file));
    await cp(kept, live, { recursive: true });
  };
}

/** Renders a page for the first time, and waits until L2 has it. */
async function rendered(runtime, name) {
  const page = await runtime.lab(name, { headers: { "Cache-Tag": `tag-of-${name}` } });
  assert.deepEqual([(await runtime.fetch(page)).isr, await runtime.renders(name)], ["MISS", 1]);
  await until("L2", async () => (await runtime.stored(page)).length);
  return page;
}

test("a coordinator: edges with the feed serve nothing older than an invalidation, and later invalidations hold", async () => {
  const folder = await newFolder();
  let runtime = await start({ folder, isr });
  const [changed, later] = [await rendered(runtime, "changed"), await rendered(runtime, "later")];
  await runtime.kill();
  const restore = await keep(folder, COORDINATORS);

  // What the restore loses: an invalidation, and the render after it.
  runtime = await start({ folder, isr });
  assert.equal((await runtime.revalidate({ path: changed })).status, 200);
  assert.equal((await runtime.fetch(changed)).render, 2);
  await runtime.kill();
  await restore();

  runtime = await start({ folder, isr: settings({ freshness_bound: 1, cache_name: "another-colo" }) });
  const known = await runtime.fetch(changed);
  assert.ok(known.render >= 2 || known.isr !== "HIT", `${known.isr} of render ${known.render}`);

  const { json } = await runtime.revalidate({ tag: "tag-of-later" });
  assert.deepEqual(json.invalidations.map(({ shards, pages }) => [shards.pending, pages.matched]), [[0, 1]]);
  const answer = await runtime.fetch(later);
  assert.deepEqual([answer.isr, answer.render], ["MISS", 2]);

  // The call that the documentation asks for.
  assert.equal((await runtime.revalidate({ everything: true })).status, 200);
  const before = Math.max(2, known.render);
  const renewed = await runtime.fetch(changed);
  assert.ok(renewed.render > before && renewed.isr === "MISS", `${renewed.isr} of render ${renewed.render}`);
});

test("the tag index: an edge that knows more than its log notices, and no later invalidation is lost", async () => {
  const folder = await newFolder();
  let runtime = await start({ folder, isr });
  const [changed, later] = [await rendered(runtime, "known"), await rendered(runtime, "after")];
  await runtime.kill();
  const restore = await keep(folder, TAG_INDEXES);

  runtime = await start({ folder, isr });
  const lost = (await runtime.revalidate({ path: changed })).json.invalidations[0].seq;
  // The edge polls at least once a second while it is asked for pages.
  const polled = performance.now() + 3000;
  await until("the feed", async () => (await runtime.fetch(changed)).isr === "HIT" && performance.now() > polled);
  // The isolate of the edge lives on. The object goes after ten idle seconds, and its next life reads the restored database.
  await sleep(IDLE_MILLIS);
  await restore();

  // The edge's next poll states what the log has lost. Then all coordinators take their pages for stale, once.
  await until("the restore to be noticed", async () => (await runtime.fetch(later)).render === 2, { timeout: 30_000 });
  const { json } = await runtime.revalidate({ tag: "tag-of-after" });
  const [{ seq, shards }] = json.invalidations;
  assert.ok(seq > lost, `${seq} follows ${lost}, which the log has lost`);
  assert.equal(shards.pending, 0);
  const answer = await runtime.fetch(later);
  assert.deepEqual([answer.isr, answer.render >= 3], ["MISS", true]);
});
