/** Invalidation by path and by tag: over HTTP, by RPC, and while a render is under way. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { caller, rpc as rpcOf } from "./caller.mjs";
import { config, start, until } from "./harness.mjs";

let isr;
before(async () => (isr = await start({ isr: config({}, { "/lab/tagged-route": { tags: ["whole-route"] } }), workers: [caller] })));

const rpc = (...call) => rpcOf(isr, ...call);

/** Sets up pages, `{ name: tags }`, and sees to it that they are stored. */
async function pages(tagged) {
  const paths = [];
  for (const [name, tags] of Object.entries(tagged)) {
    const path = await isr.lab(name, { headers: { "X-ISR-Revalidate": "false", ...(tags && { "Cache-Tag": tags }) } });
    await isr.fetch(path);
    assert.equal((await isr.fetch(path)).isr, "HIT");
    paths.push(path);
  }
  return paths;
}

const statuses = async (paths) => (await Promise.all(paths.map((path) => isr.fetch(path)))).map(({ isr, render }) => [isr, render]);

test("by path: the next visitor gets a new render, of this page only", async () => {
  const paths = await pages({ "by-path": "", "by-path-other": "" });
  const answer = await isr.revalidate({ path: paths[0] });
  const [{ seq, ...rest }, ...more] = answer.json.invalidations;
  const receipt = { path: paths[0], mode: "expire", refresh: "lazy", pages: { matched: 1 }, shards: { applied: 1, pending: 0 } };
  assert.deepEqual([answer.status, rest, more], [200, receipt, []]);
  assert.ok(Number.isInteger(seq) && seq >= 1);
  assert.deepEqual(await statuses(paths), [["MISS", 2], ["HIT", 1]]);
  assert.deepEqual(await statuses(paths), [["HIT", 2], ["HIT", 1]]);
});

test("by path: another spelling of it, and all of its variants", async () => {
  const variants = ["/lab/variants", "/lab/variants?page=2"];
  await isr.lab("variants", {});
  for (const path of variants) await isr.fetch(path);
  const { json } = await isr.revalidate({ path: "//lab/./%76ariants/" });
  assert.equal(json.invalidations[0].path, "/lab/variants");
  assert.equal((await isr.fetch("/lab/variants")).isr, "MISS");
});

test("by tag: all pages that carry it, and no others", async () => {
  const paths = await pages({ "tag-a": "red, blue", "tag-b": "blue", "tag-c": "red", "tag-d": "blueish" });
  const answer = await isr.revalidate({ tag: "blue" });
  const [{ tag, shards }] = answer.json.invalidations;
  assert.deepEqual([answer.status, tag, shards.pending], [200, "blue", 0]);
  assert.ok(shards.applied >= 1);
  assert.deepEqual(await statuses(paths), [["MISS", 2], ["MISS", 2], ["HIT", 1], ["HIT", 1]]);
  assert.deepEqual(await statuses(paths), [["HIT", 2], ["HIT", 2], ["HIT", 1], ["HIT", 1]]);
});

test("by path and tag at once", async () => {
  const paths = await pages({ "both-a": "", "both-b": "pair", "both-c": "" });
  const { json } = await isr.revalidate({ path: paths[0], tag: "pair" });
  assert.deepEqual(json.invalidations.map(({ path, tag }) => path ?? tag), [paths[0], "pair"]);
  assert.ok(json.invalidations[0].seq < json.invalidations[1].seq, "numbered in order");
  assert.deepEqual(await statuses(paths), [["MISS", 2], ["MISS", 2], ["HIT", 1]]);
});

test("as many targets as fit in one call, in the order of the call; more are refused", async () => {
  const [path] = await pages({ many: "many-999" });
  const tags = Array.from({ length: 1001 }, (_, number) => `many-${number}`);
  const refused = await isr.revalidate({ tags });
  assert.deepEqual([refused.status, /at most 1000 targets/.test(refused.text)], [400, true], refused.text);
  const { json } = await isr.revalidate({ tags: tags.slice(0, 1000) });
  assert.deepEqual(json.invalidations.map(({ tag }) => tag), tags.slice(0, 1000));
  assert.equal((await isr.fetch(path)).isr, "MISS");
});

test("a call with the key of an earlier one changes nothing, for the same targets", async () => {
  const paths = await pages({ "key-a": "key-a", "key-b": "key-b" });
  const call = (key, body) => isr.revalidate(body, { headers: { "Idempotency-Key": key } });
  const first = (await call("1", { tag: "key-a" })).json.invalidations;
  assert.deepEqual(await statuses(paths), [["MISS", 2], ["HIT", 1]]);
  assert.deepEqual((await call("1", { tag: "key-a" })).json.invalidations, [{ ...first[0], repeated: true }]);
  assert.deepEqual(await statuses(paths), [["HIT", 2], ["HIT", 1]]);
  await call("1", { tags: ["key-a", "key-b"] });
  assert.deepEqual(await statuses(paths), [["HIT", 2], ["MISS", 2]]);
  await call("2", { tag: "key-a" });
  assert.deepEqual(await statuses(paths), [["MISS", 3], ["HIT", 2]]);
  const long = await call("x".repeat(256), { tag: "key-a" });
  assert.deepEqual([long.status, /1 to 255 bytes/.test(long.text)], [400, true], long.text);
});

test("by a tag of the route", async () => {
  const paths = await pages({ "tagged-route": "own" });
  for (const [tag, render] of [["whole-route", 2], ["own", 3]]) {
    await isr.revalidate({ tag });
    assert.deepEqual(await statuses(paths), [["MISS", render]], tag);
  }
});

test("by a tag or a path that no page has: recorded, and nobody is disturbed", async () => {
  for (const body of [{ tag: "unheard-of" }, { path: "/no/route/has/this" }]) {
    const { status, json } = await isr.revalidate(body);
    assert.deepEqual([status, json.invalidations[0].shards], [200, { applied: 0, pending: 0 }]);
  }
});

test("by a tag that a page has lost: the page stays", async () => {
  const [path] = await pages({ "lost-tag": "lost, kept" });
  await isr.lab("lost-tag", { headers: { "Cache-Tag": "kept" } });
  await isr.revalidate({ path });
  await isr.fetch(path);
  await isr.revalidate({ tag: "lost" });
  assert.equal((await isr.fetch(path)).isr, "HIT");
  await isr.revalidate({ tag: "kept" });
  assert.equal((await isr.fetch(path)).isr, "MISS");
});

for (const [binding, object] of [["GATEWAY"], ["COORDINATOR", "/lab/[name]#0"], ["TAG_INDEX", "tags#0"]]) {
  const name = `rpc-${binding.toLowerCase()}`;

  test(`by RPC on ${binding} from another Worker`, async () => {
    const paths = await pages({ [name]: `${name}-tag`, [`${name}-other`]: "" });
    const byTag = await rpc(binding, object, "revalidateTag", `${name}-tag`);
    assert.deepEqual([byTag.value?.tag, byTag.value?.shards], [`${name}-tag`, { applied: 1, pending: 0 }], JSON.stringify(byTag));
    assert.deepEqual(await statuses(paths), [["MISS", 2], ["HIT", 1]]);

    const byPath = await rpc(binding, object, "revalidatePath", paths[0]);
    assert.deepEqual([byPath.value?.path, byPath.value?.shards], [paths[0], { applied: 1, pending: 0 }]);
    assert.ok(byPath.value.seq > byTag.value.seq);
    assert.deepEqual(await statuses(paths), [["MISS", 3], ["HIT", 1]]);
  });

  test(`by RPC on ${binding}: what can't be carried out is thrown, with code and message`, async () => {
    for (const [method, argument, message] of [
      ["revalidateTag", "space at the end ", /white space/],
      ["revalidateTag", "x".repeat(16_385), /at most 16384 bytes/],
      ["revalidateTag", 5, /`tag` must be a string/],
      ["revalidatePath", "no-slash", /must begin with `\/`/],
      ["revalidatePath", null, /`path` must be a string/],
    ]) {
      const { thrown } = await rpc(binding, object, method, argument);
      assert.deepEqual([thrown?.error, thrown?.code], [true, "invalid_argument"], `${method}(${argument})`);
      assert.match(thrown.message, message);
    }
  });
}

test("by RPC on objects of other names: carried out or refused, but never lost in silence", async () => {
  await pages({ "rpc-misnamed": "misnamed" });
  for (const binding of ["COORDINATOR", "TAG_INDEX"]) {
    const { value, thrown } = await rpc(binding, "a name of one's own", "revalidateTag", "misnamed");
    assert.ok(thrown || value.shards.applied === 1, `${binding}: ${JSON.stringify(value)}`);
  }
});

// `known`: whether a page of the shard has carried the tag before, so that the tag index knows whom to tell.
for (const known of [false, true]) {
  for (const target of ["tag", "path"]) {
    if (target === "path" && known) continue;

    test(`a render that began before the invalidation is never served after it (${target}${known ? " known before" : ""})`, async () => {
      const [name, tag] = [`race-${target}-${known}`, `race-tag-${known}`];
      if (known) await pages({ [`${name}-earlier`]: tag });
      const headers = { "Cache-Tag": tag };
      const path = await isr.lab(name, { body: "old", delay_ms: 1500, headers });
      const early = isr.fetch(path);
      await until("the render", async () => (await isr.renders(name)) === 1);
      await isr.lab(name, { body: "new", headers });

      assert.equal((await isr.revalidate(target === "tag" ? { tag } : { path })).status, 200);
      const late = await Promise.all(Array.from({ length: 5 }, () => isr.fetch(path)));
      assert.deepEqual(late.map(({ text }) => text), Array(5).fill("new"));
      await early;
      assert.deepEqual([(await isr.fetch(path)).isr, (await isr.fetch(path)).text], ["HIT", "new"]);
      assert.equal(await isr.renders(name), 2);
    });
  }
}

test("an invalidation during a background render is not lost either", async () => {
  const headers = { "Cache-Tag": "behind", "X-ISR-Revalidate": "1" };
  const path = await isr.lab("race-behind", { body: "first", headers });
  await isr.fetch(path);
  await isr.lab("race-behind", { body: "old", delay_ms: 1500, headers });
  await isr.untilStatus(path, "STALE");
  await until("the render", async () => (await isr.renders("race-behind")) === 2);
  await isr.lab("race-behind", { body: "new", headers: { ...headers, "X-ISR-Revalidate": "60" } });

  await isr.revalidate({ tag: "behind" });
  const late = await isr.fetch(path);
  assert.deepEqual([late.isr, late.text], ["MISS", "new"]);
  assert.deepEqual([(await isr.fetch(path)).isr, (await isr.fetch(path)).text], ["HIT", "new"]);
});
