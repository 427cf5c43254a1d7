/**
 * The hook for SvelteKit, as built, with SvelteKit's arguments, but without SvelteKit. The example uses it in a real
 * site.
 */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";

import { dataPath, handle, revalidatePath } from "../../packages/cloudflare-isr/dist/sveltekit.js";

/**
 * Passes a request through the hook, as SvelteKit would.
 * @param {object} visit
 * @param {(event: object) => Response | Promise<Response>} visit.resolve what the page does, and its answer
 */
async function pass({ path = "/page", resolve, platform = { env: {}, ctx: {} }, isSubRequest = false, visitor = {} }) {
  const headers = {};
  const event = {
    request: new Request(`https://example.com${path}`, { headers: visitor }),
    locals: {},
    platform,
    isDataRequest: path.endsWith("__data.json"),
    isSubRequest,
    setHeaders: (more) => Object.assign(headers, more),
  };
  const response = await handle()({
    event,
    resolve: async (resolved) => {
      const answer = await resolve(resolved);
      for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
      return answer;
    },
  });
  const control = ["cache-control", "x-isr-revalidate", "cache-tag"].map((name) => response.headers.get(name));
  const text = await response.text();
  const length = response.headers.get("content-length");
  assert.ok(length === null || Number(length) === text.length, `announced as ${length} bytes:\n${text}`);
  return { status: response.status, control, text };
}

/** An answer for client-side navigation, as SvelteKit makes it. */
function data(body, type = "application/json") {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const headers = { "content-type": type, "cache-control": "private, no-store", "content-length": String(text.length) };
  return new Response(text, { headers });
}
const loaded = { type: "data", nodes: [null, { type: "data", data: [{}] }] };

test("what layouts and the page have said is in the headers of the page and of its data", async () => {
  const say = ({ locals }) => {
    locals.isr.defaults({ revalidate: 300, tags: ["layout"] });
    locals.isr.set({ revalidate: 30, tags: ["page"] });
  };
  const page = await pass({ resolve: (event) => (say(event), new Response("page")) });
  assert.deepEqual(page, { status: 200, control: [null, "30", "layout, page"], text: "page" });
  const ofData = await pass({ path: "/page/__data.json", resolve: (event) => (say(event), data(loaded)) });
  assert.deepEqual(ofData, { status: 200, control: [null, "30", "layout, page"], text: JSON.stringify(loaded) });
});

test("a page that says nothing is left as it is", async () => {
  const answer = new Response("page");
  const event = { request: new Request("https://example.com/"), locals: {}, platform: undefined, isDataRequest: false, isSubRequest: false };
  assert.equal(await handle()({ event, resolve: () => answer }), answer);
});

test("data is as shareable as the page would be", async () => {
  const path = "/page/__data.json";
  const forbidden = ["private, no-store", null, null];
  const rows = [
    ["data", () => data(loaded), 200, [null, null, null]],
    ["a redirect that is stored", () => data({ type: "redirect", status: 308, location: "/" }), 200, [null, null, null]],
    ["a redirect that is not", () => data({ type: "redirect", status: 303, location: "/login" }), 200, forbidden],
    ["an expected error", () => data({ type: "data", nodes: [{ type: "error", error: { status: 404, message: "" } }] }), 200, forbidden],
    ["data that streams", () => data(`${JSON.stringify(loaded)}\n`, "text/sveltekit-data"), 200, forbidden],
    ["an error of the whole", () => new Response("{}", { status: 500, headers: { "cache-control": "private, no-store" } }), 500, forbidden],
    ["a page that forbids it itself", ({ setHeaders }) => (setHeaders({ "Cache-Control": "private, no-store" }), data(loaded)), 200, forbidden],
    ["a page that says something else", ({ setHeaders }) => (setHeaders({ "cache-control": "s-maxage=9" }), data(loaded)), 200, ["s-maxage=9", null, null]],
    ["a page that sets another header", ({ setHeaders }) => (setHeaders({ "x-other": "1" }), data(loaded)), 200, [null, null, null]],
  ];
  for (const [name, resolve, status, control] of rows) {
    const answer = await pass({ path, resolve });
    assert.deepEqual([answer.status, answer.control], [status, control], name);
  }
});

test("a visitor's own data stays private, and that of a render does not, whatever makes the request one", async () => {
  const secret = "render-secret-of-the-tests";
  const sign = (key) => {
    const time = Math.floor(Date.now() / 1000);
    return `t=${time},v1=${createHmac("sha256", key).update(`${time}.GET.${path}`).digest("hex")}`;
  };
  const path = "/page/__data.json";
  const cookie = { cookie: "theme=dark" };
  const rows = [
    ["nobody in particular", {}, undefined, {}, true],
    ["a cookie", cookie, undefined, {}, false],
    ["credentials", { authorization: "Bearer mine" }, undefined, {}, false],
    ["an identity of Cloudflare Access", { "cf-access-jwt-assertion": "me" }, undefined, {}, false],
    ["a render by its props, of a variant by cookie", cookie, { isr: "render" }, {}, true],
    ["a render by its signature", { ...cookie, "x-isr-render": sign(secret) }, undefined, { ISR_RENDER_SECRET: secret }, true],
    ["a forged signature", { ...cookie, "x-isr-render": sign("another") }, undefined, { ISR_RENDER_SECRET: secret }, false],
    ["a signature where nobody has a secret", { ...cookie, "x-isr-render": sign("") }, undefined, {}, false],
    ["the name of the cache", { ...cookie, "user-agent": "cloudflare-isr/0.1.0" }, undefined, {}, false],
  ];
  const answers = { data: loaded, redirect: { type: "redirect", status: 308, location: "/" } };
  for (const [name, visitor, props, env, isShared] of rows) {
    for (const [what, answer] of Object.entries(answers)) {
      const { control } = await pass({ path, visitor, platform: { env, ctx: { props } }, resolve: () => data(answer) });
      assert.deepEqual(control, [isShared ? null : "private, no-store", null, null], `${name}: ${what}`);
    }
  }
});

test("a load function that fails is a failure to the cache as well, not data", async () => {
  const error = { status: 503, message: "The database is away" };
  const nodes = [{ type: "data", data: [] }, { type: "error", error }];
  const answer = await pass({ path: "/page/__data.json", resolve: () => data({ type: "data", nodes }) });
  assert.deepEqual([answer.status, JSON.parse(answer.text)], [503, error]);
  const withoutStatus = await pass({ path: "/page/__data.json", resolve: () => data({ type: "data", nodes: [{ type: "error", error: {} }] }) });
  assert.equal(withoutStatus.status, 500);
});

test("what a load function asks of its own site is not looked up", async () => {
  const env = { ISR: { lookup: () => assert.fail("looked up") } };
  const answer = await pass({ isSubRequest: true, platform: { env, ctx: { exports: {} } }, resolve: () => new Response("part") });
  assert.equal(answer.text, "part");
});

test("a render that has lost its props is refused: from the cache it would get the page that it is to replace", async () => {
  const env = { ISR: { lookup: () => assert.fail("looked up") } };
  const platform = { env, ctx: { exports: { default: () => assert.fail("rendered") }, props: {} } };
  const visitor = { "user-agent": "cloudflare-isr/0.1.0" };
  const answer = await pass({ visitor, platform, resolve: () => assert.fail("resolved") });
  assert.deepEqual([answer.status, answer.control], [508, ["private, no-store", null, null]]);
  assert.match(answer.text, /an entrypoint of its own/);
});

test("where pages are prerendered, nothing of the platform is looked at", async () => {
  const env = { get ISR() { throw new Error("Cannot access platform.env.ISR in a prerenderable route"); } };
  for (const platform of [undefined, { env }]) {
    const resolve = ({ locals }) => (locals.isr.set({ revalidate: false }), new Response("page"));
    assert.deepEqual((await pass({ platform, resolve })).control, [null, "false", null]);
  }
});

test("a page is revalidated together with its data", async () => {
  const paths = { "/": "/__data.json", "/a": "/a/__data.json", "/a/": "/a/__data.json", "/a.html": "/a.html__data.json" };
  for (const [path, expected] of Object.entries(paths)) assert.equal(dataPath(path), expected);
  const service = { revalidatePath: async (...call) => call };
  const options = { mode: "stale" };
  assert.deepEqual(await revalidatePath(service, "/a", options), [["/a", options], ["/a/__data.json", options]]);
});
