/** R2 as L2, alone and next to KV: what is written when, what is never replaced, and how large a page may be. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { adminToken, colo, config, host, start, until } from "./harness.mjs";

const inR2 = config({ l2: "r2" });
const bound = { kv: [], r2: ["ISR_BUCKET"] };
/** Later than any page of these tests, and earlier. */
const [later, earlier] = ["7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0".repeat(26)];
const nameOf = (path) => `http://${host}${path}`;

let isr, bucket;
before(async () => {
  isr = await start({ isr: inR2, ...bound, troubled: true, workers: [colo("far-away", inR2, bound)] });
  bucket = await isr.bucket();
});

/** Waits for the page of a path in the bucket, and returns what the bucket says of it. */
const written = (path) => until(`${path} in R2`, () => bucket.head(nameOf(path)));

/** A page that never ages. */
const lasting = (name, behaviour = {}) => isr.lab(name, { headers: { "X-ISR-Revalidate": "false" }, ...behaviour });

test("a page goes to R2, and other colos find it there", async () => {
  const path = await lasting("kept");
  const { isr: outcome, body } = await isr.fetch(path);
  assert.equal(outcome, "MISS");
  await written(path);
  const far = await isr.ask("far-away", path);
  assert.deepEqual([far.isr, far.cacheStatus.detail, far.body, await isr.renders("kept")], ["HIT", "l2", body, 1]);
});

test("an older version is replaced by a newer one", async () => {
  const path = await lasting("renewed");
  await isr.fetch(path);
  const { customMetadata: first } = await written(path);
  await isr.revalidate({ path });
  await isr.fetch(path);
  const second = await until("the next version", async () => {
    const { customMetadata } = await bucket.head(nameOf(path));
    return customMetadata.version !== first.version && customMetadata;
  });
  assert.ok(second.version > first.version);
});

test("what is no page of this cache is replaced", async () => {
  const path = await lasting("usurped");
  await bucket.put(nameOf(path), "something else");
  assert.equal((await isr.fetch(path)).isr, "MISS");
  await until("a page", async () => (await bucket.head(nameOf(path))).customMetadata.version);
  assert.equal((await isr.ask("far-away", path)).cacheStatus.detail, "l2");
});

test("a newer version is never replaced, and not deleted", async () => {
  const path = await lasting("overtaken");
  await bucket.put(nameOf(path), "newer", { customMetadata: { version: later } });
  const { body } = await isr.fetch(path);
  const refused = () => isr.logs.some((line) => line.includes(path) && line.includes("a newer version is there"));
  await until("the refusal", refused);
  const far = await isr.ask("far-away", path);
  assert.deepEqual([far.isr, far.cacheStatus.detail, far.body], ["HIT", "coordinator", body], "meanwhile it is had from memory");

  // The write can never be made, so that nothing is left to be done only once the deletion in its place is.
  const headers = { authorization: `Bearer ${adminToken}` };
  const inspect = () => isr.fetch(`/__isr/inspect?shard=${encodeURIComponent("/lab/[name]#0")}`, { headers });
  await isr.revalidate({ path, mode: "purge" });
  await until("the deletion", async () => (await inspect()).json.state.l2.pending === 0);
  const object = await bucket.get(nameOf(path));
  assert.deepEqual([await object.text(), object.customMetadata.version], ["newer", later]);
});

test("a write between the look and the write makes the write fail, and it is made again", async () => {
  const path = await lasting("raced");
  await isr.trouble({ r2: "races" });
  await isr.fetch(path);
  const { version } = (await written(path)).customMetadata;
  assert.equal(version, earlier, "the other's is there");
  await until("the second try", async () => (await bucket.head(nameOf(path))).customMetadata.version > earlier);
  assert.equal(await isr.renders("raced"), 1);
});

test("a purge deletes", async () => {
  const path = await lasting("purged");
  await isr.fetch(path);
  await written(path);
  await isr.revalidate({ path, mode: "purge" });
  await until("the deletion", async () => (await bucket.head(nameOf(path))) === null);
});

test("beside KV, R2 takes the pages that KV does not: KV points there, and a purge deletes both", async () => {
  const settings = config({ max_body_bytes: 32 * 1024 * 1024 });
  const both = { r2: ["ISR_BUCKET"] };
  const isr = await start({ isr: settings, ...both, workers: [colo("far-away", settings, both)] });
  const bucket = await isr.bucket();
  const headers = { "X-ISR-Revalidate": "false" };
  const large = await isr.lab("large", { bytes: 27 * 1024 * 1024, headers });
  const small = await isr.lab("small", { headers });

  const { isr: outcome, body } = await isr.fetch(large);
  await isr.fetch(small);
  assert.deepEqual([outcome, body.length], ["MISS", 27 * 1024 * 1024]);
  await until("the pointer", async () => (await isr.stored(large)).length);
  await until("the small page", async () => (await isr.stored(small)).length);
  assert.ok((await bucket.head(nameOf(large))).size > body.length);
  assert.equal(await bucket.head(nameOf(small)), null);

  for (const path of [large, small]) {
    const far = await isr.ask("far-away", path);
    assert.deepEqual([far.isr, far.cacheStatus.detail], ["HIT", "l2"]);
    if (path === large) assert.ok(far.body.equals(body));
  }

  await isr.revalidate({ path: large, mode: "purge" });
  await until("both deletions", async () => {
    return (await isr.stored(large)).length === 0 && (await bucket.head(nameOf(large))) === null;
  });
  await isr.kill();
});
