/** The endpoints that read: what they answer, that they are bounded, and that each answer is as the OpenAPI document says. */
import assert from "node:assert/strict";
import http from "node:http";
import { before, test } from "node:test";

import { caller, rpc } from "./caller.mjs";
import { adminToken, config, host, start, until } from "./harness.mjs";
import { compile } from "./openapi.mjs";

const headers = { authorization: `Bearer ${adminToken}` };
const url = (path) => `http://${host}${path}`;
const shard = (number) => `/lab/[name]#${number}`;
const settings = config({ decision_log: 50 }, { "/lab/[name]": { query: ["page"], shards: 3 }, "/lab/exact": {} });

let isr, api;

/** Asks an endpoint, and checks its answer with the document. */
async function ask(path, query = {}, expected = 200) {
  const { status, json } = await isr.fetch(`/__isr/${path}?${new URLSearchParams(query)}`, { headers });
  assert.equal(status, expected, JSON.stringify(json));
  const { operation } = api.operations.find((operation) => operation.path === `/__isr/${path}`);
  assert.equal(api.problems(operation, status, json), undefined, JSON.stringify(json));
  return json;
}

/** Follows a list to its end. */
async function all(path, name, query = {}) {
  const found = [];
  for (let after = null, parts = 0; ; parts += 1) {
    assert.ok(parts < 200, "it ends");
    const part = await ask(path, { ...query, ...(after && { after }) });
    found.push(...part[name]);
    after = part.after;
    if (after === null) return found;
  }
}

before(async () => {
  isr = await start({ isr: settings, workers: [caller] });
  api = compile((await isr.fetch("/__isr/openapi.json", { headers })).json);
  for (let number = 0; number < 12; number += 1) {
    const page = await isr.lab(`page-${number}`, { headers: { "X-ISR-Revalidate": "false", "Cache-Tag": `post:${number}, all` } });
    await isr.fetch(page);
  }
  await isr.fetch(await isr.lab("private", { headers: { "Cache-Control": "private" } }));
  await isr.fetch(await isr.lab("failing", { status: 500 }));
  await isr.fetch(await isr.lab("exact", { headers: { "X-ISR-Revalidate": "1" } }));
  assert.equal((await isr.revalidate({ tag: "post:3" })).status, 200);
});

test("routes are those of the configuration", async () => {
  const { routes } = await ask("routes");
  const lab = routes.find(({ id }) => id === "/lab/[name]");
  assert.deepEqual([lab.shards, lab.query, lab.vary], [3, { policy: "only", names: ["page"] }, {}]);
  assert.equal(routes.length, Object.keys(settings.routes).length);
});

test("coordinators are listed in parts", async () => {
  const shards = await all("shards", "shards", { limit: "2" });
  assert.deepEqual(shards.map((listed) => listed.shard), ["/lab/[name]#0", "/lab/[name]#1", "/lab/[name]#2", "/lab/exact#0"]);
  assert.ok(shards.every(({ configured, deliveries }) => configured && deliveries.pending === 0));
  assert.equal((await ask("shards", { route: "/lab/exact" })).shards.length, 1);
});

test("the overview sums up all coordinators", async () => {
  const overview = await until("the writes to L2", async () => {
    const overview = await ask("overview");
    return overview.totals.l2.pending === 0 && overview;
  });
  assert.deepEqual(overview.checked, { asked: 4, answered: 4, known: 4 });
  assert.equal(overview.after, null);
  const { totals } = overview;
  assert.deepEqual([totals.pages.total, totals.pages.expired, totals.passing, totals.failing, totals.uncounted], [13, 1, 1, 1, 0]);
  assert.deepEqual(totals.breaker, { closed: 4, open: 0, halfOpen: 0 });
  assert.deepEqual(overview.invalidations.map(({ tag, shards }) => [tag, shards.pending]), [["post:3", 0]]);
  const stale = await until("age", async () => {
    const { stalest } = await ask("overview");
    return stalest.length > 0 && stalest;
  });
  assert.deepEqual(stale.map(({ key }) => key), [url("/lab/exact")]);
  assert.deepEqual((await ask("overview", { after: "/lab/[name]#2" })).coordinators.map(({ shard }) => shard), ["/lab/exact#0"]);
});

test("pages are listed by tag, prefix, route, coordinator and state, in parts", async () => {
  const keys = async (query) => (await all("entries", "entries", query)).map(({ key }) => key.replace(`http://${host}/lab/`, ""));
  assert.equal((await keys({ limit: "3" })).length, 15);
  assert.deepEqual((await keys({ tag: "all", limit: "5" })).sort(), Array.from({ length: 12 }, (_, number) => `page-${number}`).sort());
  assert.deepEqual(await keys({ tag: "post:3" }), ["page-3"]);
  assert.deepEqual(await keys({ prefix: "/lab/exact" }), ["exact"]);
  assert.deepEqual(await keys({ prefix: "/lab/ex" }), [], "a prefix ends where a segment ends");
  assert.deepEqual(await keys({ route: "/lab/exact" }), ["exact"]);
  assert.deepEqual(await keys({ state: "passing" }), ["private"]);
  assert.deepEqual(await keys({ state: "expired", limit: "1" }), ["page-3"]);
  assert.deepEqual(await keys({ state: "fresh", tag: "all", prefix: "/lab", limit: "2" }).then((found) => found.length), 11);
  const of0 = await all("entries", "entries", { shard: shard(0) });
  assert.ok(of0.length > 0 && of0.every((entry) => entry.shard === shard(0)));
  assert.deepEqual(await keys({ shard: shard(0), limit: "1" }), of0.map(({ key }) => key.replace(`http://${host}/lab/`, "")));
  await ask("entries", { shard: "/nowhere#0" }, 404);
  await ask("entries", { shard: shard(0), route: "/lab/exact" }, 400);
});

test("one page is shown by its URL, or by its path", async () => {
  const page = await ask("entry", { url: url("/lab/page-1?page=2&utm_source=x") });
  assert.deepEqual([page.key, page.path, page.route, page.entries], [url("/lab/page-1?page=2"), "/lab/page-1", "/lab/[name]", []]);
  const [entry] = (await ask("entry", { url: url("/lab/page-1") })).entries;
  assert.deepEqual([entry.state, entry.tags], ["fresh", ["all", "post:1"]]);
  assert.equal((await ask("entry", { path: "/lab/page-1" })).entries.length, 1);
  assert.equal((await ask("entry", { path: "/no/route" })).route, null);
  await ask("entry", {}, 400);
  await ask("entry", { url: url("/"), path: "/" }, 400);
});

test("tags are listed by their beginning", async () => {
  const tags = await all("tags", "tags", { prefix: "post:", limit: "5" });
  assert.deepEqual(tags.map(({ tag }) => tag), Array.from({ length: 12 }, (_, number) => `post:${number}`).sort());
  const third = tags.find(({ tag }) => tag === "post:3");
  assert.deepEqual([third.shards, third.lastInvalidation.mode], [1, "expire"]);
  const { tags: [every] } = await ask("tags", { prefix: "all" });
  assert.deepEqual([every.tag, every.shards, every.lastInvalidation], ["all", 3, null]);
});

test("invalidations are listed, the newest first", async () => {
  for (const name of ["one", "two"]) await isr.revalidate({ path: `/lab/${name}`, mode: "stale" });
  const listed = await all("invalidations", "invalidations", { limit: "2" });
  assert.deepEqual(listed.map(({ path, tag }) => path ?? tag), ["/lab/two", "/lab/one", "post:3"]);
  const [{ seq }] = listed;
  const { status, json } = await isr.fetch(`/__isr/invalidations/${seq}`, { headers });
  const { operation } = api.operations.find(({ path }) => path === "/__isr/invalidations/{seq}");
  assert.equal(api.problems(operation, status, json), undefined, JSON.stringify(json));
});

test("running renders are listed", async () => {
  const slow = await isr.lab("slow", { delay_ms: 60_000 });
  isr.fetch(slow, { timeout: 60_000 }).catch(() => {});
  const leases = await until("the render", async () => {
    const found = await ask("leases");
    return found.total > 0 && found;
  });
  const [{ key, purpose, attempt }] = leases.leases;
  assert.deepEqual([key, purpose, attempt, leases.checked.asked], [url("/lab/slow"), "cold", 0, 4]);
});

test("decisions of all coordinators are merged, and continue", async () => {
  const { decisions, after, more } = await ask("decisions");
  const short = decisions.filter(({ kind }) => kind !== "published");
  const found = Object.fromEntries(short.map((decision) => [decision.kind, decision]));
  assert.deepEqual([found["not-stored"].reason, found["not-stored"].detail], ["cache-control", "cache-control: private"]);
  assert.deepEqual([found.failed.reason, found.failed.detail], ["site-error", "status 500"]);
  assert.deepEqual([found.invalidated.detail, found.invalidated.pages > -1], ["stale path /lab/two", true]);
  const published = decisions.filter(({ kind, key }) => kind === "published" && key === url("/lab/page-1"));
  assert.equal(published.length, 1);
  assert.ok(published[0].durationMs >= 0 && published[0].version.length === 26);
  assert.deepEqual(decisions.map(({ at }) => at), decisions.map(({ at }) => at).toSorted((one, other) => one - other));
  assert.equal(more, false);
  assert.deepEqual((await ask("decisions", { after })).decisions, []);
  await isr.fetch(await isr.lab("later", {}));
  const later = await ask("decisions", { after });
  assert.deepEqual(later.decisions.map(({ kind, key }) => [kind, key]), [["published", url("/lab/later")]]);
  const one = await ask("decisions", { shard: later.decisions[0].shard, after: String(later.decisions[0].seq - 1), limit: "1" });
  assert.deepEqual(one.decisions, later.decisions);
});

test("a list of decisions is followed in parts", async () => {
  const { decisions } = await ask("decisions", { limit: "1000" });
  const found = [];
  let after = decisions.map(({ shard }) => shard).filter((name, at, names) => names.indexOf(name) === at).map((name) => `0@${encodeURIComponent(name)}`).join(",");
  for (let parts = 0; ; parts += 1) {
    assert.ok(parts < 100, "it ends");
    const part = await ask("decisions", { after, limit: "4" });
    found.push(...part.decisions);
    after = part.after;
    if (!part.more) break;
  }
  const id = ({ shard, seq }) => `${seq}@${shard}`;
  assert.deepEqual(found.map(id).sort(), decisions.map(id).sort());
});

/** Reads events of a stream until `count` decisions are there. */
function events(query, count, lastEventId) {
  return new Promise((resolve, reject) => {
    const options = { headers: { ...headers, host, accept: "text/event-stream", ...(lastEventId && { "last-event-id": lastEventId }) } };
    const request = http.get(`${isr.address}/__isr/decisions?${new URLSearchParams(query)}`, options, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
        const found = text.split("\n\n").slice(0, -1).filter((event) => event.includes("event: decision"));
        if (found.length < count) return;
        request.destroy();
        const read = (event) => ({ id: /^id: (.*)$/m.exec(event)[1], decision: JSON.parse(/^data: (.*)$/m.exec(event)[1]) });
        resolve({ type: response.headers["content-type"], open: text.startsWith("retry: "), events: found.map(read) });
      });
      response.on("error", () => {});
    });
    request.on("error", reject);
    request.setTimeout(20_000, () => reject(new Error("no event")));
  });
}

test("decisions are streamed as events, and a client continues where it was", async () => {
  const first = await events({ limit: "2" }, 2);
  assert.deepEqual([first.type, first.open], ["text/event-stream", true]);
  const next = events({}, 1, first.events[0].id);
  assert.deepEqual((await next).events[0].decision, first.events[1].decision, "the second event comes again");
  const waiting = events({}, 1, first.events[1].id);
  await isr.fetch(await isr.lab("streamed", {}));
  const [{ decision }] = (await waiting).events;
  assert.deepEqual([decision.kind, decision.key], ["published", url("/lab/streamed")]);
  const wrong = await isr.fetch("/__isr/decisions", { headers: { ...headers, accept: "text/event-stream", "last-event-id": "x" } });
  assert.deepEqual([wrong.status, wrong.json.error.code], [400, "invalid_argument"]);
});

test("the log of decisions keeps as many as the setting says", async () => {
  const busy = await isr.lab("busy", { headers: { "X-ISR-Revalidate": "false" } });
  for (let number = 0; number < 55; number += 1) {
    await isr.fetch(`${busy}?page=${number}`);
  }
  const { json } = await isr.fetch(`/__isr/entry?path=${busy}`, { headers });
  const { decisions } = await ask("decisions", { shard: json.shard, limit: "1000" });
  assert.equal(decisions.length, 50);
  assert.equal(decisions.at(-1).seq - decisions[0].seq, 49);
});

test("by RPC, the gateway and its objects answer the same", async () => {
  const { decisions } = await ask("decisions", { limit: "3" });
  for (const [binding, object] of [["GATEWAY"], ["COORDINATOR", shard(0)], ["TAG_INDEX", "tags#0"]]) {
    const answered = await rpc(isr, binding, object, "decisions", { limit: 3, after: null });
    assert.deepEqual(answered.value?.decisions, decisions, JSON.stringify(answered));
    const { value } = await rpc(isr, binding, object, "overview");
    assert.deepEqual([value.checked.asked, value.totals.passing], [4, 1]);
    const refused = await rpc(isr, binding, object, "decisions", { limit: 0 });
    assert.deepEqual([refused.thrown.code, /from 1 to 1000/.test(refused.thrown.message)], ["invalid_argument", true]);
  }
});

test("what is wrong with a query is named", async () => {
  for (const [path, query, part] of [
    ["routes", { a: "1" }, /unknown field "a"; there are none/],
    ["shards", { tag: "x" }, /unknown field "tag"; there are `route`, `after` and `limit`/],
    ["entries", { state: "old" }, /`state` must be one of `fresh`/],
    ["entries", { after: "x" }, /the answer before/],
    ["entries", { limit: "0" }, /from 1 to 1000/],
    ["tags", { prefix: "x".repeat(2000) }, /at most/],
    ["invalidations", { after: "7" }, /the answer before/],
    ["decisions", { after: "7" }, /the answer before/],
    ["leases", { shard: "x" }, /a coordinator's name/],
  ]) {
    assert.match((await ask(path, query, 400)).error.message, part, path);
  }
  const twice = await isr.fetch("/__isr/entries?limit=1&limit=2", { headers });
  assert.match(twice.json.error.message, /give `limit` once/);
});

test("without a token the endpoints do not exist, and the log says once how to enable them", async () => {
  const closed = await start({ isr: settings, bindings: { ISR_ADMIN_TOKEN: undefined } });
  for (const path of ["routes", "overview", "decisions"]) assert.equal((await closed.fetch(`/__isr/${path}`, { headers })).status, 404);
  const said = await until("the line", () => closed.logs.filter((line) => line.includes("ISR_ADMIN_TOKEN")));
  assert.equal(said.length, 1, said.join("\n"));
  const refused = await isr.fetch("/__isr/overview");
  assert.deepEqual([refused.status, refused.json.error.code], [401, "unauthorized"]);
});
