/**
 * The common part of the framework adapters, as built: an origin that calls the cache by its binding. The cache is a
 * fake with prepared answers; `lookup.test.mjs` uses the real one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { applyPagePolicy, createPagePolicy, serve } from "../../packages/cloudflare-isr/dist/index.js";

const url = "https://example.com/page";

/**
 * Visits the site where nobody has the page.
 * @param {object} visit
 * @param {Response | Promise<Response>} visit.page what the site renders for nobody in particular
 * @param {unknown} [visit.stored] what the cache answers to it, or throws; by default it never answers
 * @param {object} [visit.again] what the cache has for who looks the page up once more
 */
function visit({ page, stored, again, headers = {} }) {
  const seen = { kept: [], stores: [], props: [], own: 0 };
  const ISR = {
    lookup: async () => (seen.stores.length > 0 ? again : { status: "MISS", ticket: "ticket", request: new Request(url) }),
    async store(ticket, response) {
      seen.stores.push([ticket, response.status]);
      if (stored instanceof Error) throw stored;
      return stored ?? new Promise(() => {});
    },
  };
  const exports = {
    default: ({ props }) => (seen.props.push(props), { fetch: async () => page }),
  };
  const render = () => {
    seen.own += 1;
    return new Response("the visitor's own", { headers: { "set-cookie": "own=1" } });
  };
  const ctx = { exports, waitUntil: (promise) => void seen.kept.push(promise) };
  const request = new Request(url, { headers: { cookie: "session=mine", ...headers } });
  return { seen, answer: serve({ request, env: { ISR }, ctx, policy: createPagePolicy(), render }) };
}

test("a page for everybody streams to the visitor before it is stored, without what the render alone was told", async () => {
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("first")) });
  const headers = {
    "set-cookie": "session=of-the-render",
    "www-authenticate": "Basic",
    "x-isr-revalidate": "60",
    "cache-tag": "a",
    "cdn-cache-control": "max-age=60",
    "content-language": "en",
  };
  const { seen, answer } = visit({ page: new Response(body, { headers }) });
  const response = await answer;
  const { value } = await response.body.getReader().read();
  assert.equal(new TextDecoder().decode(value), "first");
  assert.deepEqual(Object.fromEntries(response.headers), {
    "cache-control": "public, max-age=0, must-revalidate",
    "content-language": "en",
    "x-isr-status": "MISS",
  });
  assert.deepEqual([seen.own, seen.stores], [0, [["ticket", 200]]]);
});

test("a file keeps the lifetime for browsers that it states, also when it is rendered for the visitor", async () => {
  const ask = "public, max-age=0, must-revalidate";
  for (const [type, own, expected] of [
    ["image/png", "public, max-age=31536000, immutable", "public, max-age=31536000, immutable"],
    ["application/rss+xml; charset=utf-8", "max-age=60", "max-age=60"],
    ["text/html; charset=utf-8", "public, max-age=60", ask],
    ["image/png", "public, max-age=0", ask],
    ["image/png", "s-maxage=60", ask],
    [undefined, "public, max-age=60", ask],
  ]) {
    const headers = { "cache-control": own, ...(type && { "content-type": type }) };
    const response = await visit({ page: new Response(new Uint8Array(1), { headers }), stored: { stored: true } }).answer;
    assert.deepEqual([response.headers.get("x-isr-status"), response.headers.get("cache-control")], ["MISS", expected], `${type} ${own}`);
  }
});

test("tags of a page policy may be in any script", () => {
  const policy = createPagePolicy();
  policy.set({ tags: ["posts", "_N_T_/товары", "a tag"] });
  const headers = new Headers();
  applyPagePolicy(headers, policy);
  // Node.js has a character for each byte.
  assert.equal(Buffer.from(headers.get("cache-tag"), "latin1").toString(), "posts, _N_T_/товары, a tag");
  for (const tag of ["", " a", "a ", "a,b", "a\nb", "\uFFFD", "\uD800", "x".repeat(16 * 1024 + 1), 1]) {
    assert.throws(() => policy.set({ tags: [tag] }), TypeError, String(tag).slice(0, 20));
  }
});

test("what is not stored is rendered again for the visitor who asked, after the cache was told", async () => {
  const refused = (reason) => ({ stored: false, reason });
  const cases = {
    "an opt-out": [{ headers: { "x-isr-revalidate": "0" } }, refused("revalidate-0")],
    "a private page": [{ headers: { "cache-control": "private" } }, refused("cache-control")],
    "a page that is never fresh": [{ headers: { "cdn-cache-control": "max-age=0" } }, refused("revalidate-0")],
    "a page that varies": [{ headers: { vary: "cookie" } }, refused("vary")],
    "a way to the login": [{ status: 302, headers: { location: "/login" } }, refused("status")],
    "a page that there is not, where such are not stored": [{ status: 404 }, refused("revalidate-0")],
    "an answer to Authorization": [{}, refused("authorization"), { authorization: "Bearer mine" }],
    "a page of which the cache says nothing": [{ headers: { vary: "cookie" } }, new Error("lease_lost")],
  };
  for (const [name, [init, stored, headers]] of Object.entries(cases)) {
    const { seen, answer } = visit({ page: new Response("anonymous", init), stored, headers });
    const response = await answer;
    assert.equal(await response.text(), "the visitor's own", name);
    assert.deepEqual([response.headers.get("set-cookie"), response.headers.get("x-isr-status")], ["own=1", "SKIP"], name);
    assert.deepEqual([seen.own, seen.stores.length], [1, 1], name);
  }
});

test("a page that varies by a header of the visitor is stored, and rendered again for the visitor", async () => {
  const stored = { stored: true, reason: null };
  for (const [vary, headers, own] of [
    ["Cookie", { cookie: "me=1" }, true],
    ["Accept-Encoding, X-Forwarded-Proto, Origin", { origin: "https://other.example", "x-forwarded-proto": "https" }, true],
    ["Accept-Encoding, X-Forwarded-Proto, Host", { "x-forwarded-proto": "https" }, false],
    ["Origin, RSC", { "x-other": "1" }, false],
  ]) {
    const { seen, answer } = visit({ page: new Response("page", { headers: { vary } }), stored, headers });
    const response = await answer;
    assert.deepEqual([await response.text(), seen.own, seen.stores.length], own ? ["the visitor's own", 1, 1] : ["page", 0, 1], vary);
  }
});

test("what is not plainly for everybody is shown if the cache takes it, or would have", async () => {
  for (const stored of [{ stored: true, reason: null }, { stored: false, reason: "invalidated" }]) {
    const { seen, answer } = visit({ page: new Response("page", { headers: { vary: "accept-language" } }), stored });
    const response = await answer;
    assert.deepEqual([await response.text(), response.headers.get("x-isr-status"), seen.own], ["page", "MISS", 0]);
  }
});

const failed = { stored: false, reason: "site-error" };

test("a failure is the visitor's answer as well, and is kept by nobody", async () => {
  for (const page of [new Response("oops", { status: 503 }), Promise.reject(new Error("no answer"))]) {
    const again = { status: "MISS", response: new Response("backing off", { status: 503 }) };
    const { seen, answer } = visit({ page, stored: failed, again });
    const response = await answer;
    assert.ok(response.status >= 500);
    assert.deepEqual([response.headers.get("cache-control"), seen.own], ["no-store", 0]);
    assert.deepEqual(seen.stores, [["ticket", response.status]]);
  }
});

test("a failed render does not cost a visitor the last good copy", async () => {
  const again = { status: "STALE", response: new Response("last good") };
  const { seen, answer } = visit({ page: new Response("oops", { status: 500 }), stored: failed, again });
  assert.deepEqual([await (await answer).text(), seen.stores], ["last good", [["ticket", 500]]]);
  // A lease that comes of looking is not left lying about.
  const leased = visit({ page: new Response("oops", { status: 500 }), stored: failed, again: { status: "MISS", ticket: "another" } });
  assert.deepEqual([await (await leased.answer).text(), leased.seen.stores], ["oops", [["ticket", 500], ["another", 500]]]);
});

test("the lease is used though the visitor leaves: all of it is kept alive from the beginning", async () => {
  const { promise, resolve } = Promise.withResolvers();
  const { seen } = visit({ page: promise, stored: { stored: true, reason: null } });
  assert.equal(seen.kept.length, 1);
  let isOver = false;
  seen.kept[0].then(() => (isOver = true));
  await turn();
  assert.equal(isOver, false, "the page is still to be rendered");
  resolve(new Response("page"));
  await seen.kept[0];
  assert.deepEqual(seen.stores, [["ticket", 200]]);
});

test("a page is looked up with what the platform knows of the visitor", async (t) => {
  const { Request } = globalThis;
  t.after(() => Object.assign(globalThis, { Request }));
  // As that of the Workers runtime.
  globalThis.Request = class extends Request {
    constructor(input, { cf, ...init } = {}) {
      super(input, init);
      this.cf = cf;
    }
  };
  const request = new globalThis.Request(url, { headers: { cookie: "session=mine" }, cf: { country: "AT" } });
  const lookup = async ({ method, headers, cf }) => ({ status: "HIT", response: Response.json([method, headers.get("cookie"), cf]) });
  const ctx = { exports: { default: () => {} }, waitUntil: () => {} };
  const response = await serve({ request, env: { ISR: { lookup } }, ctx, policy: createPagePolicy(), render: () => assert.fail("rendered") });
  assert.deepEqual(await response.json(), ["GET", "session=mine", { country: "AT" }]);
});

test("no two renders have the same props: a cache in front of the site can't answer one with the page of another", async () => {
  const props = [];
  for (let times = 0; times < 2; times += 1) {
    const { seen, answer } = visit({ page: new Response("page") });
    await answer;
    props.push(...seen.props);
  }
  assert.deepEqual(props.map(({ isr }) => isr), ["render", "render"]);
  assert.notDeepEqual(props[0], props[1]);
});
