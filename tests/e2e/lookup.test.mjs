/** The split life cycle: a Worker that renders pages itself, bound to the gateway. */
import assert from "node:assert/strict";
import path from "node:path";
import { before, test } from "node:test";

import { bypassToken, config, host, newFolder, root, start, until } from "./harness.mjs";

const renderer = (name = "renderer") => ({
  name,
  rootPath: root,
  modulesRoot: ".",
  modules: [{ type: "ESModule", path: path.join("tests/e2e", "renderer.mjs") }],
  compatibilityDate: "2026-11-01",
  serviceBindings: { ISR: "cloudflare-isr" },
  durableObjects: {
    COORDINATOR: { className: "IsrCoordinator", scriptName: "cloudflare-isr", useSQLite: true },
    TAG_INDEX: { className: "IsrTagIndex", scriptName: "cloudflare-isr", useSQLite: true },
  },
});

let isr;
before(async () => (isr = await start({ workers: [renderer()] })));

const call = async (what, runtime = isr) => (await runtime.ask("renderer", "/", { method: "POST", body: JSON.stringify(what) })).json;
const lookup = (path, more = {}, runtime) => call({ lookup: path, ...more }, runtime);
const store = (ticket, response, settings, runtime) =>
  call({ store: ticket, response: { status: 200, body: "<p>page", ...response }, settings }, runtime);

test("a page that nobody has: the caller gets the lease, renders, and the page is there for all", async () => {
  const url = `http://${host}/lab/split?utm_source=x`;
  const first = await lookup(url);
  assert.deepEqual([first.status, first.response, first.reason], ["MISS", undefined, undefined]);
  // What is to be rendered is what the key stands for.
  assert.equal(first.request.url, `http://${host}/lab/split`);
  assert.equal(first.request.method, "GET");

  const stored = await store(first.ticket, { headers: { "set-cookie": "a=1", "x-own": "kept" } }, { revalidate: 60, tags: ["split"] });
  assert.deepEqual(stored, { stored: true, reason: null });

  const second = await lookup(url);
  assert.deepEqual([second.status, second.response.status, second.response.body], ["HIT", 200, "<p>page"]);
  const { headers } = second.response;
  assert.deepEqual([headers["set-cookie"], headers["x-own"], headers["x-isr-status"]], [undefined, "kept", "HIT"]);
  const visitor = await isr.fetch("/lab/split");
  assert.deepEqual([visitor.isr, visitor.text], ["HIT", "<p>page"]);

  // By its tag, and the one of its route.
  assert.equal((await isr.revalidate({ tag: "split" })).json.invalidations[0].pages.matched, 1);
  assert.equal((await lookup(url)).status, "MISS");
  assert.equal(await isr.renders("split"), 0, "the site was never asked");
});

test("who comes while somebody holds the lease gets that page, as it comes", async () => {
  const { ticket } = await lookup("/lab/collapsed");
  const waiting = [lookup("/lab/collapsed"), lookup("/lab/collapsed")];
  const visitor = isr.watch(new URL(`http://localhost/lab/collapsed`).pathname);
  const stored = store(ticket, { body: "x".repeat(1000), chunks: 4, pause: 200 });
  const answers = await Promise.all(waiting);
  for (const { status, response, ticket } of answers) {
    assert.deepEqual([status, ticket, response.body.length], ["MISS", undefined, 1000]);
    assert.match(response.headers["cache-status"], /collapsed/);
  }
  void visitor.then((watched) => watched.leave());
  assert.deepEqual(await stored, { stored: true, reason: null });
  assert.equal(await isr.renders("collapsed"), 0);
});

test("a ticket counts once, for its page, and is not made up", async () => {
  const { ticket } = await lookup("/lab/once");
  assert.deepEqual(await store(ticket, { body: "first" }), { stored: true, reason: null });
  assert.equal((await store(ticket, { body: "second" })).code, "lease_lost");
  assert.equal((await lookup("/lab/once")).response.body, "first");
  for (const wrong of ["", "ticket", ticket.slice(1), `${ticket}AA`]) {
    assert.equal((await store(wrong, {})).code, "invalid_argument", wrong);
  }
});

test("what is invalidated between lookup and store is not stored, and rendered by the site for who waits", async () => {
  const path = await isr.lab("between", { headers: { "Cache-Tag": "b" } });
  const { ticket } = await lookup(path);
  assert.equal((await isr.revalidate({ path })).status, 200);
  const waiting = lookup(path);
  assert.deepEqual(await store(ticket, { body: "from before" }), { stored: false, reason: "invalidated" });
  const after = await waiting;
  assert.notEqual(after.response.body, "from before");
  assert.equal(await isr.renders("between"), 1);
});

test("what is not to be stored is said so, and leaves a mark", async () => {
  const cases = [
    ["opt-out", {}, { revalidate: 0 }, "revalidate-0"],
    ["private", { headers: { "cache-control": "private" } }, undefined, "cache-control"],
    ["status", { status: 201 }, undefined, "status"],
    ["many-headers", { headers: { "x-a": "a".repeat(70_000) } }, undefined, "too-large"],
    ["varying", { headers: { vary: "user-agent" } }, undefined, "vary"],
  ];
  for (const [name, response, settings, reason] of cases) {
    const { ticket } = await lookup(`/lab/${name}`);
    assert.deepEqual(await store(ticket, response, settings), { stored: false, reason }, name);
    assert.deepEqual(await lookup(`/lab/${name}`), { status: "SKIP", reason }, name);
  }
});

test("a failed render is told by a 5xx: those who wait get it, and the page is left alone for a while", async () => {
  const { ticket } = await lookup("/lab/failing");
  const waiting = lookup("/lab/failing");
  assert.deepEqual(await store(ticket, { status: 500, body: "oops", chunks: 2, pause: 300 }), { stored: false, reason: "site-error" });
  assert.deepEqual([(await waiting).response.status, (await waiting).response.body], [500, "oops"]);
  const later = await lookup("/lab/failing");
  assert.deepEqual([later.status, later.response.status, later.response.body], ["MISS", 500, "oops"]);
});

test("a body that breaks off is not stored, and breaks off for those who have joined it", async () => {
  const { ticket } = await lookup("/lab/broken");
  const waiting = lookup("/lab/broken");
  const stored = await store(ticket, { body: "x".repeat(100_000), chunks: 3, pause: 100, breaks: true });
  assert.deepEqual(stored, { stored: false, reason: "site-error" });
  assert.equal((await waiting).response.body, "broken off");
  const later = await lookup("/lab/broken");
  assert.deepEqual([later.status, later.response.status], ["MISS", 503]);
});

test("a body of any bytes that breaks off is not stored, wherever it does", async () => {
  for (const [name, response] of [["broken-ff", { bytes: 99_999, chunks: 3 }], ["broken-one-ff", { bytes: 1, chunks: 1 }]]) {
    const { ticket } = await lookup(`/lab/${name}`);
    const stored = await store(ticket, { body: undefined, fill: 0xff, pause: 50, breaks: true, ...response });
    assert.deepEqual(stored, { stored: false, reason: "site-error" }, name);
  }
});

test("bodies are bytes, whatever they end with", async () => {
  for (const [name, response, bytes] of [
    ["all-ff", { bytes: 200_000, fill: 0xff }, 200_000],
    ["all-ff-in-pieces", { bytes: 9, fill: 0xff, chunks: 3, pause: 20 }, 9],
    ["many-ff-in-pieces", { bytes: 200, fill: 0xff, chunks: 20, pause: 5 }, 200],
    ["one-ff", { bytes: 1, fill: 0xff }, 1],
    ["large", { bytes: 5_000_000, fill: 7 }, 5_000_000],
    ["moved", { status: 301, headers: { location: "/lab/large" } }, 0],
  ]) {
    const { ticket } = await lookup(`/lab/${name}`);
    assert.deepEqual(await store(ticket, { body: undefined, ...response }), { stored: true, reason: null }, name);
    const { body } = await isr.fetch(`/lab/${name}`);
    assert.ok(body.equals(Buffer.alloc(bytes, response.fill)), name);
  }
  const empty = await lookup("/lab/empty");
  assert.deepEqual(await store(empty.ticket, { body: undefined }), { stored: false, reason: "site-error" });
});

test("a page over the bound is not stored, and comes whole to all who have joined it", async () => {
  const small = await start({ isr: config({ max_body_bytes: 1_000_000 }), workers: [renderer()] });
  const { ticket } = await lookup("/lab/over", {}, small);
  const waiting = Promise.all([lookup("/lab/over", {}, small), lookup("/lab/over", {}, small)]);
  const stored = await store(ticket, { body: undefined, bytes: 4_000_000, fill: 97, chunks: 16, pause: 50 }, undefined, small);
  assert.deepEqual(stored, { stored: false, reason: "too-large" });
  for (const { status, response } of await waiting) assert.deepEqual([status, response.body.length], ["MISS", 4_000_000]);
  assert.deepEqual(await lookup("/lab/over", {}, small), { status: "SKIP", reason: "too-large" });
});

test("a stale page is served, and rendered behind it by the site", async () => {
  const path = await isr.lab("aged", { headers: { "X-ISR-Revalidate": "60" } });
  const { ticket } = await lookup(path);
  await store(ticket, { body: "old" }, { revalidate: 1 });
  const stale = await until("a stale page", async () => {
    const answer = await lookup(path);
    return answer.status === "STALE" && answer;
  });
  assert.equal(stale.response.body, "old");
  await until("the new page", async () => (await lookup(path)).status === "HIT");
  assert.equal(await isr.renders("aged"), 1);
});

test("conditions, HEAD, drafts, and what is no page of this cache", async () => {
  const { ticket } = await lookup("/lab/forms");
  await store(ticket, { headers: { etag: '"v1"' } });
  const asked = async (more, path = "/lab/forms") => {
    const { status, reason, response } = await lookup(path, more);
    return [status, reason ?? response?.status, response?.body];
  };
  assert.deepEqual(await asked({ headers: { "if-none-match": '"v1"' } }), ["HIT", 304, ""]);
  assert.deepEqual(await asked({ headers: { range: "bytes=0-2" } }), ["HIT", 206, "<p>"]);
  assert.deepEqual(await asked({ method: "HEAD" }), ["HIT", 200, ""]);
  assert.deepEqual(await asked({ headers: { "x-isr-bypass": bypassToken } }), ["BYPASS", undefined, undefined]);
  assert.deepEqual(await asked({ method: "POST" }), ["PASS", undefined, undefined]);
  for (const path of ["/no-route", "/__isr/inspect"]) assert.deepEqual(await asked({}, path), ["PASS", undefined, undefined]);
  // What answers a HEAD has no body to be stored: the site is asked for the page.
  const path = await isr.lab("head-first", {});
  assert.deepEqual((await asked({ method: "HEAD" }, path)).slice(0, 2), ["MISS", 200]);
});

test("the answer to a request with Authorization is stored only if it says that it is for everybody", async () => {
  const headers = { authorization: "Bearer of-a-visitor" };
  const secret = await lookup("/lab/for-one", { headers });
  assert.equal(secret.request.headers.authorization, undefined);
  assert.deepEqual(await store(secret.ticket, {}), { stored: false, reason: "authorization" });
  const shared = await lookup("/lab/for-all", { headers });
  assert.deepEqual(await store(shared.ticket, { headers: { "cache-control": "public, s-maxage=60" } }), { stored: true, reason: null });
});

test("a page by country is looked up for the country that the platform has told of", async () => {
  const byCountry = await start({ isr: config({}, { "/lab/[name]": { vary: { country: ["AT"] } } }), workers: [renderer()] });
  const asked = async (country) => (await lookup("/lab/country", { cf: { country } }, byCountry)).request.headers["cf-ipcountry"];
  assert.deepEqual([await asked("AT"), await asked("CH")], ["AT", undefined]);
});

test("arguments of a wrong kind are refused", async () => {
  for (const wrong of [5, null, {}, "no URL"]) assert.equal((await call({ lookup: wrong })).code, "invalid_argument", wrong);
  const { ticket } = await lookup("/lab/arguments");
  for (const settings of [5, { revalidate: "60" }, { tags: "a" }, { tags: ["a,b"] }, { ttl: 5 }]) {
    assert.equal((await store(ticket, {}, settings)).code, "invalid_argument", JSON.stringify(settings));
  }
  assert.equal((await store(5, {})).code, "invalid_argument");
  // None of these has used the ticket up.
  assert.deepEqual(await store(ticket, {}), { stored: true, reason: null });
});

test("both objects have the methods too", async () => {
  for (const by of ["COORDINATOR", "TAG_INDEX"]) {
    const { ticket } = await lookup(`/lab/by-${by}`, { by });
    assert.deepEqual(await call({ by, store: ticket, response: { status: 200, body: by } }), { stored: true, reason: null });
    assert.equal((await lookup(`/lab/by-${by}`, { by })).response.body, by);
  }
});

test("a holder that never comes: who waits is sent to the site, and the next one gets the lease", async () => {
  const slow = await start({ isr: config({ render_timeout: 1 }), workers: [renderer()] });
  const { ticket } = await lookup("/lab/never", {}, slow);
  assert.deepEqual(await lookup("/lab/never", {}, slow), { status: "SKIP", reason: "lost" });
  assert.equal((await store(ticket, {}, undefined, slow)).code, "lease_lost");
  const next = await lookup("/lab/never", {}, slow);
  assert.deepEqual(await store(next.ticket, { body: "in time" }, undefined, slow), { stored: true, reason: null });
});

test("holders that never come leave their pages alone for longer and longer, and no others: the site has not failed", async () => {
  const slow = await start({ isr: config({ render_timeout: 1 }), workers: [renderer()] });
  const pages = Array.from({ length: 9 }, (_, number) => `/lab/gone-${number}`);
  const lease = async (path) => assert.ok((await lookup(path, {}, slow)).ticket, path);
  await Promise.all(pages.map(lease));
  // Waiting requests are answered when each lease ends.
  await Promise.all(pages.map((path) => lookup(path, {}, slow)));
  // Nine time-outs of the site would have opened the breaker of the shard.
  await lease("/lab/another");
  await lease(pages[0]);
  assert.equal((await lookup(pages[0], {}, slow)).reason, "lost");
  const held = await lookup(pages[0], {}, slow);
  assert.deepEqual([held.status, held.response.status], ["MISS", 503]);
});

test("an object that dies with a lease out: the next one gets a lease at once, and the old ticket is worth nothing", async () => {
  const folder = await newFolder();
  const before = await start({ folder, workers: [renderer()] });
  const { ticket } = await lookup("/lab/crash", {}, before);
  await before.kill();

  const after = await start({ folder, workers: [renderer()] });
  const next = await lookup("/lab/crash", {}, after);
  assert.ok(next.ticket);
  assert.equal((await store(ticket, { body: "late" }, undefined, after)).code, "lease_lost");
  assert.deepEqual(await store(next.ticket, { body: "in time" }, undefined, after), { stored: true, reason: null });
  assert.equal((await lookup("/lab/crash", {}, after)).response.body, "in time");
});
