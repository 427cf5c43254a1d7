/**
 * The objects' inspection: over HTTP and by RPC while the runtime runs, and in the SQLite files that it leaves behind,
 * with the queries of docs/inspect.md.
 */
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";

import { caller, rpc } from "./caller.mjs";
import { adminToken, config, host, newFolder, root, start, until } from "./harness.mjs";

const lab = "/lab/[name]#0";
const exact = "/lab/exact#0";
const url = (path) => `http://${host}${path}`;
const settings = config({}, { "/lab/[name]": { query: ["page"] }, "/lab/exact": {} });

let isr, folder, seq;

function http(query, options = {}) {
  const headers = { authorization: `Bearer ${adminToken}` };
  return isr.fetch(`/__isr/inspect?${new URLSearchParams(query)}`, { headers, ...options });
}

const inspect = async (query) => {
  const { status, json } = await http(query);
  assert.equal(status, 200, JSON.stringify(json));
  return json;
};

/** Sets a page up, and renders it once. */
async function page(name, tags, behaviour = {}) {
  const headers = { "X-ISR-Revalidate": "false", ...(tags && { "Cache-Tag": tags }), ...behaviour.headers };
  const path = await isr.lab(name, { ...behaviour, headers });
  await isr.fetch(path);
  return path;
}

async function invalidate(what) {
  const { status, json } = await isr.revalidate(what);
  assert.equal(status, 200, JSON.stringify(json));
  return json.invalidations[0].seq;
}

/**
 * One page in each state. `kept` was rendered twice. `old` is invalidated as stale, `gone` as expired; `aged` has aged by itself; the first render of
 * `first` and the second of `eager` are under way.
 */
before(async () => {
  folder = await newFolder();
  isr = await start({ folder, isr: settings, workers: [caller] });
  for (const [name, tags] of Object.entries({ kept: "post:42", old: "post:42, soft", gone: "post:42, hard", exact: "post:42", eager: "now" })) {
    await page(name, tags);
  }
  await page("aged", "", { headers: { "X-ISR-Revalidate": "1" } });
  await page("private", "", { headers: { "Cache-Control": "private" } });
  await page("failing", "", { status: 500 });
  await until("L2 to have all", async () => (await isr.stored("/lab")).length === 6);
  const kept = await invalidate({ path: "/lab/kept" });
  await isr.fetch("/lab/kept");
  seq = {
    kept,
    soft: await invalidate({ tag: "soft", mode: "stale" }),
    hard: await invalidate({ tag: "hard" }),
    path: await invalidate({ path: "/lab/old", mode: "stale" }),
  };
  await isr.lab("eager", { delay_ms: 60_000, headers: { "X-ISR-Revalidate": "false", "Cache-Tag": "now" } });
  seq.now = await invalidate({ tag: "now", mode: "stale", refresh: "eager" });
  const first = await isr.lab("first", { delay_ms: 60_000 });
  isr.fetch(`${first}?page=2`, { timeout: 60_000 }).catch(() => {});
  await until("both renders", async () => (await inspect({ shard: lab })).state.renders === 2);
  await until("age", async () => (await inspect({ path: "/lab/aged" })).entries[0].state === "stale");
  await until("the writes to L2", async () => (await inspect({ shard: lab })).state.l2.pending === 0);
});

const short = ({ entries }) => entries.map(({ key, state }) => [key, state]);

test("by path: its state, and why", async () => {
  const began = Date.now() - 60_000;
  const { entries: [{ version, renderBeganAt, renderedAt, invalidated, l2, ...entry }, ...more], ...rest } = await inspect({ path: "//lab/./old" });
  assert.deepEqual([rest, more], [{ path: "/lab/old", route: "/lab/[name]", shard: lab, after: null }, []]);
  assert.deepEqual({ ...entry, bodyBytes: typeof entry.bodyBytes }, {
    key: url("/lab/old"), path: "/lab/old", state: "stale", status: 200, bodyBytes: "number", tags: ["post:42", "soft"], heat: 0,
    freshUntil: null, staleUntil: null, errorUntil: null, failures: 0, failureBeganAt: null, retryAt: null, passUntil: null,
    unpublished: null, rendering: null,
  });
  const { at, ...by } = invalidated;
  assert.deepEqual(by, { seq: seq.path, kind: "path", name: "/lab/old", mode: "stale" }, "the latest of those as strong");
  assert.ok(began < renderBeganAt && renderBeganAt <= renderedAt && renderedAt < at && at < Date.now() + 1000);
  assert.deepEqual({ ...l2, writtenAt: typeof l2.writtenAt, version: null }, { state: "written", version: null, writtenAt: "number", dueAt: null, attempts: 0 });
  assert.ok([version, null].includes(l2.version), "known for certain, or not");
});

test("by path: what passes, what fails, what is being rendered, and what no route has", async () => {
  const [passing] = (await inspect({ path: "/lab/private" })).entries;
  assert.deepEqual([passing.state, passing.version], ["passing", null]);
  assert.ok(passing.passUntil > Date.now());
  const { at: passedAt, ...refused } = passing.unpublished;
  assert.deepEqual(refused, { reason: "cache-control", detail: "cache-control: private" });
  assert.ok(passedAt < Date.now() && passedAt < passing.passUntil);
  const [failing] = (await inspect({ path: "/lab/failing" })).entries;
  assert.deepEqual([failing.state, failing.failures], ["absent", 1]);
  const { at: failedAt, ...failure } = failing.unpublished;
  assert.deepEqual(failure, { reason: "site-error", detail: "status 500" });
  assert.ok(failing.failureBeganAt <= failedAt && failedAt < failing.retryAt);
  const [first] = (await inspect({ path: "/lab/first" })).entries;
  assert.deepEqual([first.key, first.state, first.rendering.purpose, first.rendering.attempt], [url("/lab/first?page=2"), "absent", "cold", 0]);
  // After an invalidation a coordinator's clock is up to a second ahead.
  assert.ok(first.rendering.beganAt < Date.now() + 1100 && Date.now() < first.rendering.expiresAt);
  const [eager] = (await inspect({ path: "/lab/eager" })).entries;
  assert.deepEqual([eager.state, eager.rendering.purpose], ["stale", "background"]);
  assert.deepEqual(await inspect({ path: "/no/route" }), { path: "/no/route", route: null, shard: null, entries: [], after: null });
  assert.deepEqual((await inspect({ path: "/lab/never-asked-for" })).entries, []);
});

test("by tag: over all coordinators, page by page", async () => {
  const { entries, lastInvalidation, ...rest } = await inspect({ tag: "post:42" });
  assert.deepEqual(rest, {
    tag: "post:42", deliveries: { pending: 0 }, shards: 2, pages: { total: 4, fresh: 2, stale: 1, expired: 1 }, after: null,
  });
  assert.equal(lastInvalidation, null);
  assert.deepEqual(entries.map(({ shard, key, state, invalidated }) => [shard, key, state, invalidated?.seq]), [
    [lab, url("/lab/gone"), "expired", seq.hard],
    [lab, url("/lab/kept"), "fresh", undefined],
    [lab, url("/lab/old"), "stale", seq.path],
    [exact, url("/lab/exact"), "fresh", undefined],
  ]);
  for (const limit of [1, 2, 3, 4]) {
    const parts = [await inspect({ tag: "post:42", limit })];
    while (parts.at(-1).after !== null) parts.push(await inspect({ tag: "post:42", limit, after: parts.at(-1).after }));
    assert.deepEqual(parts.flatMap((part) => part.entries.map(({ key }) => key)), entries.map(({ key }) => key), `limit ${limit}`);
    assert.deepEqual(parts.map((part) => part.entries.length), Array.from({ length: Math.ceil(4 / limit) }, (_, n) => Math.min(limit, 4 - n * limit)));
    assert.deepEqual(parts.map(({ pages }) => pages?.total), [4, ...Array(parts.length - 1).fill(undefined)]);
  }
  const { lastInvalidation: hard } = await inspect({ tag: "hard" });
  assert.deepEqual([hard.seq, hard.mode, typeof hard.at], [seq.hard, "expire", "number"]);
  const unknown = await inspect({ tag: "unheard-of" });
  assert.deepEqual([unknown.shards, unknown.pages.total, unknown.entries], [0, 0, []]);
});

test("by shard: the whole, and its pages", async () => {
  const { state, entries, ...rest } = await inspect({ shard: lab });
  assert.deepEqual(rest, { shard: lab, route: "/lab/[name]", deliveries: { pending: 0, oldestPending: null }, after: null });
  assert.deepEqual(state, {
    pages: { total: 5, fresh: 1, stale: 3, expired: 1 }, passing: 1, failing: 1, tags: 4, renders: 2, l2: { pending: 0, failing: 0 },
    breaker: { state: "closed", failures: 1, probeAt: null }, sweeps: { open: 1, pages: 1 }, lastInvalidation: seq.now,
  });
  assert.deepEqual(short({ entries }), [
    ["/lab/aged", "stale"], ["/lab/eager", "stale"], ["/lab/failing", "absent"], ["/lab/first?page=2", "absent"],
    ["/lab/gone", "expired"], ["/lab/kept", "fresh"], ["/lab/old", "stale"], ["/lab/private", "passing"],
  ].map(([path, state]) => [url(path), state]));
  const half = await inspect({ shard: lab, limit: 5 });
  const rest2 = await inspect({ shard: lab, limit: 5, after: half.after });
  assert.deepEqual([...short(half), ...short(rest2)], short({ entries }));
  assert.deepEqual([half.state, rest2.state, rest2.after], [state, null, null]);
});

for (const [binding, object] of [["GATEWAY"], ["COORDINATOR", lab], ["COORDINATOR", exact], ["TAG_INDEX", "tags#0"]]) {
  test(`by RPC on ${binding} ${object ?? ""}: the same`, async () => {
    for (const [method, query] of [["inspectTag", { tag: "post:42" }], ["inspectPath", { path: "/lab/old" }], ["inspectShard", { shard: lab }]]) {
      const [argument] = Object.values(query);
      assert.deepEqual(await rpc(isr, binding, object, method, argument), { value: await inspect(query) }, method);
    }
    const { value } = await rpc(isr, binding, object, "inspectTag", "post:42", { limit: 3, after: null });
    assert.deepEqual(await rpc(isr, binding, object, "inspectTag", "post:42", { after: value.after }), {
      value: await inspect({ tag: "post:42", after: value.after }),
    });
    const { thrown } = await rpc(isr, binding, object, "inspectTag", "post:42", { limit: 0 });
    assert.deepEqual(thrown, { error: true, code: "invalid_argument", message: "`limit` must be a whole number from 1 to 1000" });
    assert.equal((await rpc(isr, binding, object, "inspectShard", "/nowhere#0")).thrown.code, "not_found");
  });
}

test("what is asked for wrongly is named with its remedy", async () => {
  for (const [query, status, code, message] of [
    [{}, 400, "invalid_argument", /one of `tag`, `path`, `shard`/],
    [{ tag: "a", path: "/" }, 400, "invalid_argument", /one of/],
    [{ tags: "a" }, 400, "invalid_argument", /unknown field "tags"/],
    [{ tag: "a", after: "b" }, 400, "invalid_argument", /answer before/],
    [{ shard: "/nowhere#0" }, 404, "not_found", /no coordinator \/nowhere#0/],
    [{ shard: "/lab/[name]#1" }, 404, "not_found", /no coordinator/],
  ]) {
    const answer = await http(query);
    assert.deepEqual([answer.status, answer.json.error?.code], [status, code], JSON.stringify(query));
    assert.match(answer.json.error.message, message);
  }
  assert.equal((await http({ tag: "a" }, { headers: {} })).status, 401);
  const posted = await http({ tag: "a" }, { method: "POST" });
  assert.deepEqual([posted.status, posted.headers.get("allow")], [405, "GET"]);
});

/** The queries of the document: what stands behind "sql" is the object that each is for, and its name. */
async function documented() {
  const text = await readFile(path.join(root, "docs/inspect.md"), "utf8");
  return [...text.matchAll(/^```sql (\w+) ([\w-]+)\n([^]*?)^```$/gm)].map(([, object, name, sql]) => ({ object, name, sql }));
}

/** Opens what the runtime has left of all objects of a class. */
async function databases(className) {
  const { DatabaseSync } = await import("node:sqlite");
  const place = path.join(folder, "do", `cloudflare-isr-${className}`);
  const files = (await readdir(place)).filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file));
  return files.map((file) => new DatabaseSync(path.join(place, file)));
}

test("in the files that are left behind: each query of the document", async (t) => {
  await isr.kill();
  // While coordinators can't be reached, what is invalidated stays on its way.
  const deaf = { ...caller, serviceBindings: {}, durableObjects: { TAG_INDEX: caller.durableObjects.TAG_INDEX } };
  const lonely = await start({ folder, isr: settings, objects: { TAG_INDEX: "IsrTagIndex" }, workers: [deaf] });
  const { value: receipt } = await rpc(lonely, "TAG_INDEX", "tags#0", "revalidateTag", "post:42", { mode: "stale" });
  assert.deepEqual(receipt.shards, { applied: 0, pending: 2 });
  await lonely.kill();

  const shards = await databases("IsrCoordinator");
  const nameOf = (database) => database.prepare("SELECT shard FROM shard_state").get().shard;
  const objects = { coordinator: shards.find((database) => nameOf(database) === lab) };
  [objects.tag_index] = await databases("IsrTagIndex");
  assert.deepEqual(shards.map(nameOf).sort(), [lab, exact].sort());
  const isTime = (text) => assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  /** What the scenario implies: the rows of each query, without the times, which are only to be readable. */
  const implied = {
    "why-old": [{
      key: url("/lab/old"), state: "stale", fresh_until_utc: null, invalidated_by: seq.path, invalidated_kind: "path", invalidated_name: "/lab/old",
      invalidated_mode: "stale", rendering: null, rendering_since_utc: null, failures: 0, retry_utc: null, l2: "written",
    }],
    "what-names-it": [
      { key: url("/lab/old"), seq: seq.path, kind: "path", name: "/lab/old", mode: "stale", concerns: 1 },
      { key: url("/lab/old"), seq: seq.soft, kind: "tag", name: "soft", mode: "stale", concerns: 1 },
    ],
    "who-carries": [lab, exact].map((shard) => ({ shard, last_invalidated_by: receipt.seq, last_invalidated_mode: "stale", pending: 2 })),
    "tag-counts": [{
      tag: "post:42", pages: 3, fresh: 1, stale: 1, expired: 1, last_invalidated_by: null, last_invalidated_mode: null, last_invalidated_utc: null,
    }],
    "tag-pages": [
      { key: url("/lab/gone"), state: "expired", tags: "hard, post:42", invalidated_by: seq.hard },
      { key: url("/lab/kept"), state: "fresh", tags: "post:42", invalidated_by: null },
      { key: url("/lab/old"), state: "stale", tags: "post:42, soft", invalidated_by: seq.path },
    ],
    "newest-invalidations": [
      { seq: receipt.seq, kind: "tag", name: "post:42", mode: "stale", refresh: "lazy", shards: 2, applied: 0, pending: 2, matched: 0 },
      { seq: seq.now, kind: "tag", name: "now", mode: "stale", refresh: "eager", shards: 1, applied: 1, pending: 0, matched: 1 },
      { seq: seq.path, kind: "path", name: "/lab/old", mode: "stale", refresh: "lazy", shards: 1, applied: 1, pending: 0, matched: 1 },
      { seq: seq.hard, kind: "tag", name: "hard", mode: "expire", refresh: "lazy", shards: 1, applied: 1, pending: 0, matched: 1 },
      { seq: seq.soft, kind: "tag", name: "soft", mode: "stale", refresh: "lazy", shards: 1, applied: 1, pending: 0, matched: 1 },
      { seq: seq.kept, kind: "path", name: "/lab/kept", mode: "expire", refresh: "lazy", shards: 1, applied: 1, pending: 0, matched: 1 },
    ],
    "on-their-way": [{
      seq: receipt.seq, kind: "tag", name: "post:42", mode: "stale", applied: 0, pending: 2, pending_shards: [lab, exact].join(", "),
    }],
    "in-front": [],
    "open-sweeps": [{ seq: seq.now, kind: "tag", name: "now", mode: "stale", refresh: "eager", matched: 1, done: 0, failed: 0, pending: 1 }],
    "rendering-now": [
      { key: url("/lab/eager"), rendering: "background", rendering_attempt: 0 },
      { key: url("/lab/first?page=2"), rendering: "cold", rendering_attempt: 0 },
    ],
    "failed-last": [{ key: url("/lab/failing"), state: "absent", failures: 1, unpublished_reason: "site-error", unpublished_detail: "status 500" }],
    "why-not-stored": [{ key: url("/lab/private"), unpublished_reason: "cache-control", unpublished_detail: "cache-control: private" }],
    "whole-shard": [{
      shard: lab, pages: 5, fresh: 1, stale: 3, expired: 1, passing: 1, failing: 1, tags: 4, renders: 2, l2_pending: 0, breaker: "closed",
      open_sweeps: 1, last_invalidation: seq.now,
    }],
    "hottest": [["kept", "fresh"], ["aged", "stale"], ["eager", "stale"], ["gone", "expired"], ["old", "stale"]].map(([name, state]) => (
      { key: url(`/lab/${name}`), state, heat: name === "kept" ? 1 : 0, status: 200 }
    )),
    "not-in-l2": [],
    "all-coordinators": [
      { shard: lab, route: "/lab/[name]", spread_over: "1", tags: 4, pending: 1, oldest_pending: receipt.seq },
      { shard: exact, route: "/lab/exact", spread_over: "1", tags: 1, pending: 1, oldest_pending: receipt.seq },
    ],
  };
  const queries = await documented();
  assert.deepEqual(queries.map(({ name }) => name).sort(), Object.keys(implied).sort());
  for (const { object, name, sql } of queries) {
    await t.test(name, () => {
      const rows = objects[object].prepare(sql.replaceAll("/blog/hello", "/lab/old")).all();
      const expected = implied[name];
      assert.equal(rows.length, expected.length, JSON.stringify(rows));
      for (const [n, row] of rows.entries()) {
        const shown = { ...row };
        for (const [column, value] of Object.entries(row)) {
          if (column in expected[n]) continue;
          if (column.endsWith("_utc")) isTime(value);
          else assert.ok(["failed_attempts", "body_bytes"].includes(column) && value > 0, `${column}: ${value}`);
          delete shown[column];
        }
        assert.deepEqual(shown, expected[n]);
      }
    });
  }
  for (const database of [...shards, objects.tag_index]) database.close();
});
