/** Next.js by URL behind the gateway: with the defaults and one route, and with the recipe of docs/recipes/next.md. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";

import { open } from "../examples/browser.mjs";
import { Comparison, ask, crawl } from "./crawler.mjs";
import { adminToken, defaults, gatewayFor, keep, recipeOf } from "./gateway.mjs";
import { startNext } from "./next/site.mjs";
import { freePort, here, host } from "./programs.mjs";

const seeds = ["/", "/blog/first", "/blog/second/", "/blog/none", "/blog/%D0%BB%D0%B0%D0%BC%D0%BF%D0%B0", "/blog/%d0%bb%d0%b0%d0%bc%d0%bf%d0%b0", "/blog/first?utm_source=mail", "/blog/first?x=1", "/old", "/old?a=b", "/moved/first", "/no-such-page", "/search", "/search?q=second", "/search?q=%D0%BB%D0%B0%D0%BC",
  "/feed.xml", "/sitemap.xml", "/robots.txt", "/favicon.ico", "/manual.txt", "/lamp.png", "/live", "/api/time", "/account", "/guestbook", "/_next/static/none.js", "/_next/image?url=%2Flamp.png&w=256&q=75", "/_next/image?url=%2Flamp.png&w=640&q=75", "/_next/image?url=none&w=1&q=75"];
const kindOf = (target) => {
  const [name, query] = target.split("?");
  if (/^\/_next\/image/.test(name)) return "optimized images";
  if (/^\/_next|\.(?:txt|png|ico)$/.test(name)) return "files";
  if (/^\/api/.test(name)) return "API";
  if (/\.xml$/.test(name)) return "feed and sitemap";
  return query ? "pages with parameters, search" : "pages";
};
const normalized = (text) => text.replaceAll(/%[0-9a-f]{2}/gi, (encoded) => encoded.toLowerCase());

let site, gateway, plain, pages;
const compare = (through) => new Comparison({ direct: site.address, gateway: through.address, normalized });
/** What the router of Next.js asks for in place of a page. */
const data = { rsc: "1", "next-url": "/", accept: "*/*" };

before(async () => {
  const port = await freePort();
  site = await startNext({ gateway: `http://127.0.0.1:${port}`, adminToken });
  gateway = await gatewayFor(site.address, recipeOf("next"), { port });
  plain = await gatewayFor(site.address, defaults);
  pages = await crawl(site.address, seeds, { most: Number(process.env.ISR_SITES_PAGES ?? 160) });
});

test("the site uses the file of the recipe", async () => {
  const [own, shown] = await Promise.all([path.join(here, "next/app"), path.join(here, "../../docs/recipes/next")].map((folder) => readFile(path.join(folder, "invalidate.js"), "utf8")));
  assert.equal(own, shown);
});

for (const name of ["next-defaults", "next"]) {
  test(`${name}: every page is as the site sends it, cold, from the cache, and in all other ways to ask for it`, async () => {
    const comparison = compare(name === "next" ? gateway : plain);
    // Next.js optimizes an image when it is first asked for, and says so in its fields.
    await comparison.visit("first", pages.filter((target) => target.startsWith("/_next/image")), { headers: { accept: "image/webp,*/*" } });
    comparison.found.length = 0;
    await comparison.visit("cold", pages);
    await comparison.visit("again", pages);
    await keep(name, comparison.report(kindOf));
    await comparison.variations(pages);
    await comparison.visit("data of the router", ["/", "/blog/first", "/search?q=first", "/account"].flatMap((target) => [target, `${target}${target.includes("?") ? "&" : "?"}_rsc=abc12`]), { headers: { ...data, cookie: "none=1" } });
    await comparison.visit("after data", pages);
    assert.deepEqual(comparison.found, []);
  });
}

test("stale pages are as they were, and then as they are", async () => {
  assert.equal((await gateway.revalidate({ everything: true, mode: "stale" })).status, 200);
  const comparison = compare(gateway);
  await comparison.visit("stale", pages);
  assert.ok([...comparison.outcomes.values()].filter(([outcome]) => outcome === "STALE").length > 10);
  await comparison.visit("later", pages);
  assert.deepEqual(comparison.found, []);
});

test("an edit appears at once, on its page and in the feed", async () => {
  for (const target of ["/blog/second", "/feed.xml"]) assert.ok((await ask(gateway.address, target)).isCached);
  const body = JSON.stringify({ slug: "second", title: "The edited post" });
  const edited = await ask(gateway.address, "/api/edit", { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal(edited.status, 200, edited.text + (await site.log()));
  for (const target of ["/blog/second", "/feed.xml"]) assert.match((await ask(gateway.address, target)).text, /The edited post/, target);
  const comparison = compare(gateway);
  await comparison.visit("after the edit", pages);
  assert.deepEqual(comparison.found, []);
});

test("a visitor who is logged in sees a page of their own, and nobody else sees it", async () => {
  const before = await ask(gateway.address, "/account");
  assert.match(before.text, /Not logged in/);
  const answer = await ask(gateway.address, "/api/login", { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "name=Bea" });
  assert.equal(answer.status, 303, answer.text);
  const cookie = answer.fields["set-cookie"].split(";")[0];
  assert.match((await ask(gateway.address, "/account", { headers: { cookie } })).text, /Hello, (?:<!-- -->)?Bea/);
  assert.match((await ask(gateway.address, "/account")).text, /Not logged in/);
  const posted = await ask(gateway.address, "/api/time", { method: "POST", body: "a text" });
  assert.deepEqual([posted.status, posted.text], [201, '{"received":"a text"}']);
});

test("in a browser: navigation, a server action, a search", async (t) => {
  assert.ok((await ask(gateway.address, "/guestbook")).status === 200);
  const page = await open(t, [`--host-resolver-rules=MAP ${host} ${new URL(gateway.address).host}`]);
  await page.goto(`http://${host}/`);
  await page.click("nav a:has-text('First')");
  await page.waitForSelector("h1:has-text('The first post')");
  await page.click("nav a:has-text('Guestbook')");
  await page.waitForSelector("form input[name=name]");
  await page.fill("input[name=name]", "Carl");
  await page.click("button:has-text('Sign')");
  await page.waitForSelector("li:has-text('Carl')");
  assert.match((await ask(gateway.address, "/guestbook")).text, /Carl/);
  await page.goto(`http://${host}/search?q=first`);
  await page.click("ol a");
  await page.waitForSelector("h1:has-text('The first post')");
  await page.goBack();
  await page.waitForSelector("ol a");
  assert.deepEqual(page.errors, []);
});
