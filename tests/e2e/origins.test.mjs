/** Origins by route, their time limits, the headers of renders, and how an origin by URL recognises a render. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { isRender } from "../../packages/cloudflare-isr/dist/index.js";
import { bypassToken, config, root, start } from "./harness.mjs";

const secret = "render-secret-of-the-tests";
const token = "Bearer token-of-the-tests";
const seen = [];
let isr;

/** A shop that is no Worker. */
const shop = createServer(async (request, response) => {
  const { method, url, headers } = request;
  seen.push({ method, url, headers });
  if (url.startsWith("/base/shop/late")) await sleep(3000);
  response.writeHead(method === "POST" ? 201 : 200, { "content-type": "text/plain" });
  response.write(`shop ${url}`);
  if (url.startsWith("/base/shop/slow-body")) await sleep(2000);
  response.end(", its end");
});
const arrived = (url) => seen.filter((request) => request.url === url);

/** A blog that is another Worker. */
const blog = {
  name: "blog-site",
  modules: [{
    type: "ESModule",
    path: "blog.mjs",
    contents: `export default {
      fetch({ method, url, headers }) {
        const { pathname } = new URL(url);
        return pathname.endsWith("/headers") ? Response.json(Object.fromEntries(headers)) : new Response("blog " + method + " " + pathname);
      },
    }`,
  }],
  compatibilityDate: "2026-01-01",
};

/** A Worker that renders pages itself. */
const renderer = {
  name: "renderer",
  rootPath: root,
  modulesRoot: ".",
  modules: [{ type: "ESModule", path: path.join("tests/e2e", "renderer.mjs") }],
  compatibilityDate: "2026-01-01",
  serviceBindings: { ISR: "cloudflare-isr" },
};

/** A site that says what it takes a request for, by its props and by its signature. */
const told = {
  name: "told-site",
  rootPath: root,
  modulesRoot: ".",
  modules: ["tests/e2e/told-site.mjs", ...["index", "render", "rpc", "page_policy", "serve"].map((file) => `packages/cloudflare-isr/dist/${file}.js`)].map(
    (file) => ({ type: "ESModule", path: file }),
  ),
  compatibilityDate: "2026-01-01",
  bindings: { ISR_RENDER_SECRET: secret },
};

/** What a visitor would have to know in order to forge a render. */
function signed(pathAndQuery, { key = secret, at = Date.now(), method = "GET" } = {}) {
  const time = Math.floor(at / 1000);
  return `t=${time},v1=${createHmac("sha256", key).update(`${time}.${method}.${pathAndQuery}`).digest("hex")}`;
}

before(async () => {
  await new Promise((resolve) => shop.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${shop.address().port}/base`;
  const render_headers = { Authorization: { secret: "SHOP_TOKEN" }, "X-Preview": "off", "User-Agent": "cache of the shop" };
  const routes = {
    "/shop/*": { origin, query: ["q"] },
    "/shop/plain/*": { origin, render_headers: {} },
    "/told/*": { origin: "TOLD" },
    "/signed/*": { origin: "SIGNED" },
    "/journal/*": { origin: "BLOG_ORIGIN", render_headers: { "X-Preview": "a, b" }, vary: { header: { "X-Ab": ["a"] } } },
  };
  const bindings = { ISR_RENDER_SECRET: secret, SHOP_TOKEN: token };
  const services = { BLOG_ORIGIN: "blog-site", TOLD: "told-site", TOLD_RENDER: { name: "told-site", props: { isr: "render" } }, SIGNED: "told-site" };
  const options = { services, workers: [blog, renderer, told], bindings };
  const settings = { first_byte_timeout: 1, render_headers, render_sensitive_headers: ["authorization"] };
  isr = await start({ isr: config(settings, routes), ...options });
});
after(() => shop.close());

test("each route's pages come from its own site", async () => {
  for (const [path, text] of [["/shop/a", "shop /base/shop/a, its end"], ["/journal/b", "blog GET /journal/b"]]) {
    const [miss, hit] = [await isr.fetch(path), await isr.fetch(path)];
    assert.deepEqual([miss.isr, hit.isr, miss.text, hit.text], ["MISS", "HIT", text, text]);
  }
  assert.equal((await isr.fetch("/lab/own")).render, 1, "a route without one: the site that all others have");
});

test("what passes goes to the same site", async () => {
  const post = (path) => isr.fetch(path, { method: "POST", body: "x" });
  const answers = [await post("/shop/cart"), await post("/journal/comments"), await isr.fetch("/editor")];
  assert.deepEqual(answers.map(({ status }) => status), [201, 200, 200]);
  assert.deepEqual(answers.slice(0, 2).map(({ text }) => text), ["shop /base/shop/cart, its end", "blog POST /journal/comments"]);
});

test("a site that does not begin to answer in time has failed", async () => {
  const { status, isr: outcome, cacheStatus, millis } = await isr.fetch("/shop/late");
  assert.deepEqual([status, outcome, cacheStatus.detail], [503, "SKIP", "site-error"]);
  assert.ok(millis > 900 && millis < 2500, `${millis} ms`);
  assert.ok(isr.logs.some((line) => line.includes("/shop/late") && line.includes("no answer began within 1s")));
});

test("the time to the first byte is not that of the whole, and does not bind what passes", async () => {
  const page = await isr.fetch("/shop/slow-body");
  assert.deepEqual([page.isr, page.text, (await isr.fetch("/shop/slow-body")).isr], ["MISS", "shop /base/shop/slow-body, its end", "HIT"]);
  assert.ok(page.millis > 1900);
  assert.equal((await isr.fetch("/shop/late", { method: "POST" })).status, 201);
});

test("a render carries what the configuration says, whatever the visitor sends, and its page is for all", async () => {
  const headers = { authorization: "Bearer of-a-visitor", "x-preview": "on", "user-agent": "a browser" };
  const [miss, hit] = [await isr.fetch("/shop/carried", { headers }), await isr.fetch("/shop/carried")];
  assert.deepEqual([miss.isr, hit.isr, hit.text], ["MISS", "HIT", miss.text]);
  const carried = (url) => arrived(url).map(({ headers }) => [headers.authorization, headers["x-preview"], headers["user-agent"]]);
  assert.deepEqual(carried("/base/shop/carried"), [[token, "off", "cache of the shop"]]);

  await isr.fetch("/shop/plain/carried", { headers });
  const [[authorization, preview, agent]] = carried("/base/shop/plain/carried");
  assert.deepEqual([authorization, preview], [undefined, undefined], "a route with a table of its own has that one alone");
  assert.match(agent, /^cloudflare-isr\//);
});

test("a Worker that renders gets them too, beside what the key names", async () => {
  for (const [variant, sent] of [["a", "a"], ["b", undefined]]) {
    const { isr: outcome, json } = await isr.fetch("/journal/headers", { headers: { "x-ab": variant, "x-preview": "on" } });
    assert.deepEqual([outcome, json["x-preview"], json["x-ab"], json.authorization], ["MISS", "a, b", sent, undefined]);
  }
});

test("what passes is the visitor's own request, without them", async () => {
  await isr.fetch("/shop/passed", { method: "POST", headers: { "x-preview": "on" } });
  const [{ headers }] = arrived("/base/shop/passed");
  assert.deepEqual([headers.authorization, headers["x-preview"]], [undefined, "on"]);
});

test("who renders a page himself is told what is no secret", async () => {
  const { json } = await isr.ask("renderer", "/", { method: "POST", body: JSON.stringify({ lookup: "/shop/by-itself" }) });
  const { "x-preview": preview, authorization } = json.request.headers;
  assert.deepEqual([json.status, preview, authorization], ["MISS", "off", undefined]);
});

test("a render of a bound site is known as one, and nothing that a visitor sends is", async () => {
  const seen = async (path, init) => {
    const { cookie, isOwn, isSigned } = (await isr.fetch(path, init)).json;
    return { cookie, isOwn, isSigned };
  };
  const mine = { cookie: "session=mine" };
  // With a second binding that has props, and without.
  for (const [folder, isOwn] of [["told", true], ["signed", false]]) {
    assert.deepEqual(await seen(`/${folder}/page`, { headers: mine }), { cookie: null, isOwn, isSigned: true });
    const own = { cookie: "session=mine", isOwn: false, isSigned: false };
    const posted = (path, more = {}) => seen(path, { method: "POST", body: "x", headers: { ...mine, ...more } });
    assert.deepEqual(await posted(`/${folder}/page`), own, "a page's path");
    // As if the visitor knew the secret: the gateway takes the request for the render of another cache, but its origin does not.
    assert.deepEqual(await posted(`/${folder}/page`, { "x-isr-render": signed(`/${folder}/page`, { method: "POST" }) }), own, "a signature");
    assert.deepEqual(await posted(`/${folder}/page`, { isr: "render", props: '{"isr":"render"}', "user-agent": "cloudflare-isr/0.1.0" }), own, "words");
    const draft = await seen(`/${folder}/page`, { headers: { ...mine, "x-isr-bypass": bypassToken } });
    assert.deepEqual(draft, own, "a draft");
  }
});

test("a render by URL is signed, and the site can tell", async () => {
  await isr.fetch("/shop/signed?q=a%20b&dropped=1");
  const { url, headers } = seen.find((request) => request.url.startsWith("/base/shop/signed?q="));
  const request = (url, value) => new Request(`https://shop.test${url}`, { headers: { "x-isr-render": value } });
  const value = headers["x-isr-render"];
  assert.match(value, /^t=\d{10},v1=[0-9a-f]{64}$/);
  assert.equal(await isRender(request(url, value), secret), true);
  const at = Date.now() - 310_000;
  for (const [what, forged, key] of [
    ["another secret", request(url, value), "another"],
    ["no secret", request(url, value), ""],
    ["another path", request("/base/shop/signed", value), secret],
    ["another method", new Request(request(url, value), { method: "POST" }), secret],
    ["an old one", request(url, signed(url, { at })), secret],
    ["no signature", request(url, "render"), secret],
  ]) {
    assert.equal(await isRender(forged, key), false, what);
  }
});

test("what a visitor sends under that name reaches no site", async () => {
  const headers = { "x-isr-render": "t=1,v1=00" };
  await isr.fetch("/shop/forged", { headers });
  await isr.fetch("/shop/forged-form", { method: "POST", headers });
  await isr.fetch("/shop/signed-form", { method: "POST", headers: { "x-isr-render": signed("/shop/signed-form", { method: "POST" }) } });
  const [[render], [form], [signedForm]] = ["/base/shop/forged", "/base/shop/forged-form", "/base/shop/signed-form"].map(arrived);
  assert.notEqual(render.headers["x-isr-render"], headers["x-isr-render"]);
  assert.deepEqual([form, signedForm].map(({ headers }) => headers["x-isr-render"]), [undefined, undefined]);
});

test("a signed request is a render of another cache: it passes, and is not stored", async () => {
  const ask = (headers) => isr.fetch("/lab/behind", { headers });
  const render = { "x-isr-render": signed("/lab/behind") };
  assert.deepEqual([await ask(render), await ask(render)].map(({ isr, render }) => [isr, render]), [[null, 1], [null, 2]]);
  for (const forged of [signed("/lab/behind", { key: "another" }), signed("/lab/other"), signed("/lab/behind", { at: 0 })]) {
    assert.equal((await ask({ "x-isr-render": forged })).render, 3, "anything else is a visitor, who gets the page of all");
  }
  assert.equal(await isr.renders("behind"), 3);
});

test("a gateway may stand behind another one, and only the first stores", async () => {
  const outer = await start({ origin: null, isr: config({ origin: isr.address }), bindings: { ISR_RENDER_SECRET: secret } });
  const inner = new URL(isr.address).host;
  await isr.lab("chained", { headers: { "X-ISR-Revalidate": "3000" } });
  const answers = [await outer.fetch("/lab/chained"), await outer.fetch("/lab/chained")];
  assert.deepEqual(answers.map(({ isr, render }) => [isr, render]), [["MISS", 1], ["HIT", 1]]);
  assert.ok(answers[1].cacheStatus.ttl > 2900, "what the site says reaches it");
  assert.equal((await isr.fetch("/lab/chained", { visitedHost: inner })).isr, "MISS", "the one behind has stored nothing");
  await outer.kill();
});

test("a render by a URL that leads back to the gateway comes to an end", async () => {
  const port = 30_000 + (process.pid % 10_000);
  const settings = config({ origin: `http://127.0.0.1:${port}` });
  const loop = await start({ origin: null, port, isr: settings, bindings: { ISR_RENDER_SECRET: secret } });
  const answer = await loop.fetch("/lab/circle");
  assert.deepEqual([answer.status, answer.json.error.code], [508, "loop"]);
  assert.deepEqual(await loop.stored("/lab/circle"), []);
  await loop.kill();
});
