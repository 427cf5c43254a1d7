/** Wagtail and Django behind the gateway: with the defaults and one route, and with the recipe of docs/recipes/django.md. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { open } from "../examples/browser.mjs";
import { Comparison, ask, crawl } from "./crawler.mjs";
import { adminToken, bypassToken, defaults, gatewayFor, keep, recipeOf } from "./gateway.mjs";
import { freePort, host } from "./programs.mjs";
import { startWagtail } from "./wagtail/site.mjs";

const most = Number(process.env.ISR_SITES_PAGES ?? 160);
const except = /logout|\/delete\/|\/move\/|\/unlock|\/lock\//;
const seeds = ["/", "/admin/login/", "/admin/", "/old-lamp/", "/old-lamp", "/moved/", "/sitemap.xml", "/feed/", "/%D0%BB%D0%B0%D0%BC%D0%BF%D0%B0/", "/%D0%BB%D0%B0%D0%BC%D0%BF%D0%B0", "/lamp-3", "/lamp-3/?utm_source=mail", "/no-such-page/", "/favicon.ico", "/robots.txt",
  "/search/", "/search/?query=lamp", "/search/?query=lamp&page=2", "/search/?query=%D0%BB%D0%B0%D0%BC%D0%BF%D0%B0", "/search/?query=red+lamp", "/contact/", "/hidden/", "/draft/", "/django-admin/login/?next=/django-admin/", "/team", "/media/nothing.jpg"];

const kindOf = (target) => {
  const [path, query] = target.split("?");
  if (/^\/(?:static|media|documents)\//.test(path)) return "files";
  if (/^\/(?:admin|django-admin|_util)/.test(path)) return "administration, log in";
  if (/^\/(?:feed|sitemap)/.test(path)) return "feeds and sitemaps";
  return query ? "pages with parameters, search" : "pages";
};

/** Takes out tokens, which differ between any two answers, and spells percent-encodings and the tracking parameter alike. */
const normalized = (text) => text
  .replaceAll(/(csrfmiddlewaretoken" value="|csrfToken"?:\s*"|csrf_token": "|csrftoken=)\w+/gi, "$1")
  .replaceAll(/(&quot;key&quot;: &quot;)\w{5}/g, "$1")
  .replaceAll(/<lastBuildDate>[^<]*/g, "")
  .replaceAll(/(editing-sessions\/ping\/wagtailcore\/page\/\d+\/)\d+|(editing-sessions\/(?:release\/)?)\d+/g, "$1$2")
  .replaceAll(/\?utm_source=mail/g, "")
  .replaceAll(/expires=[^;]*/gi, "")
  .replaceAll(/%[0-9a-f]{2}/gi, (encoded) => encoded.toLowerCase());

let site, gateway, plain, pages;
const compare = (through) => new Comparison({ direct: site.address, gateway: through.address, normalized });

const cookiesOf = (answer) => (answer.fields["set-cookie"] ?? "").split("\n").filter((cookie) => !/max-age=0/i.test(cookie)).map((cookie) => cookie.split(";")[0]).join("; ");

/** Opens the page of a form, and sends the form with its token and cookie, as a browser does. */
async function submit(address, target, fields, { cookie = "", to = target } = {}) {
  const page = await ask(address, target, { headers: cookie ? { cookie } : {} });
  const csrfmiddlewaretoken = /csrfmiddlewaretoken" value="(\w+)"/.exec(page.text)?.[1];
  assert.ok(csrfmiddlewaretoken, `${target} has no token: ${page.outcome}`);
  const cookies = [cookie, cookiesOf(page)].filter(Boolean).join("; ");
  const headers = { "content-type": "application/x-www-form-urlencoded", cookie: cookies, origin: `http://${host}`, referer: `http://${host}${target}` };
  const answer = await ask(address, to, { method: "POST", headers, body: new URLSearchParams({ csrfmiddlewaretoken, ...fields }).toString() });
  return { page, answer, cookie: [cookies, cookiesOf(answer)].filter(Boolean).join("; ") };
}

/** Asserts that a page that visitors get shows a text now. */
async function shows(target, text) {
  const [direct, through] = await Promise.all([site.address, gateway.address].map((address) => ask(address, target)));
  assert.ok(direct.text.includes(text), `${target} of the site does not show ${text}`);
  assert.ok(through.text.includes(text), `${target} of the gateway [${through.outcome}] does not show ${text}\n${await site.log()}`);
}

before(async () => {
  const port = await freePort();
  site = await startWagtail({ gateway: `http://127.0.0.1:${port}`, adminToken, bypassToken });
  gateway = await gatewayFor(site.address, recipeOf("django"), { port });
  plain = await gatewayFor(site.address, defaults);
  pages = await crawl(site.address, seeds, { except, most });
});

for (const name of ["wagtail-defaults", "wagtail"]) {
  test(`${name}: every page is as the site sends it, cold, from the cache, and in all other ways to ask for it`, async () => {
    const comparison = compare(name === "wagtail" ? gateway : plain);
    await comparison.visit("cold", pages);
    await comparison.visit("again", pages);
    await keep(name, comparison.report(kindOf));
    if (name === "wagtail") await comparison.variations(pages);
    assert.deepEqual(comparison.found, []);
  });
}

test("stale pages are as they were, and then as they are", async () => {
  assert.equal((await gateway.revalidate({ everything: true, mode: "stale" })).status, 200);
  const comparison = compare(gateway);
  await comparison.visit("stale", pages);
  const stale = [...comparison.outcomes.values()].filter(([outcome]) => outcome === "STALE").length;
  await comparison.visit("later", pages);
  assert.ok(stale > 20, `${stale} stale pages`);
  assert.deepEqual(comparison.found, []);
});

test("an editor sees the site's own pages, and visitors see none of it", async () => {
  for (const through of [plain, gateway]) {
    const { answer } = await submit(through.address, "/admin/login/", { username: "editor", password: "secret-of-the-editor", next: "/admin/" });
    assert.deepEqual([answer.status, answer.fields.location], [302, "/admin/"], answer.text);
  }
  const { cookie } = await submit(gateway.address, "/admin/login/", { username: "editor", password: "secret-of-the-editor", next: "/admin/" });
  assert.match(cookie, new RegExp(`__isr_bypass=${bypassToken}`));
  const headers = { cookie };
  const own = await crawl(site.address, ["/admin/", "/admin/pages/", "/django-admin/"], { headers, except, most: Math.min(most, 60) });
  const comparison = compare(gateway);
  await comparison.visit("editor", [...pages.slice(0, 40), ...own], { headers });
  assert.deepEqual(comparison.found, []);
  assert.match((await ask(gateway.address, "/lamp-3/", { headers })).text, /Hello, editor/);
  const visitors = compare(gateway);
  await visitors.visit("after the editor", pages);
  assert.deepEqual(visitors.found, []);
});

test("forms: a message for its visitor alone, a password for a page, a wrong form, a search", async () => {
  const { page, answer, cookie } = await submit(gateway.address, "/contact/", { name: "Bea", text: "Hello" });
  assert.match(page.outcome, /^SKIP/);
  assert.deepEqual([answer.status, answer.fields.location], [302, "/contact/"], answer.text);
  assert.match((await ask(gateway.address, "/contact/", { headers: { cookie } })).text, /Thank you, Bea/);
  assert.doesNotMatch((await ask(gateway.address, "/contact/")).text, /Bea/);
  const wrong = await submit(gateway.address, "/contact/", { name: "", text: "Hello" });
  assert.match(wrong.answer.text, /This field is required/);
  const forged = await ask(gateway.address, "/contact/", { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "name=a&text=b" });
  assert.equal(forged.status, 403);
  // A visitor with the cookie of a form still gets pages from the cache.
  await ask(gateway.address, "/lamp-4/");
  assert.equal((await ask(gateway.address, "/lamp-4/", { headers: { cookie: cookiesOf(page) } })).outcome, "HIT");

  const action = /action="([^"]+)"/.exec((await ask(gateway.address, "/hidden/")).text)[1];
  const opened = await submit(gateway.address, "/hidden/", { password: "open", return_url: "/hidden/" }, { to: new URL(action, `http://${host}`).pathname });
  assert.equal(opened.answer.status, 302, opened.answer.text);
  assert.match((await ask(gateway.address, "/hidden/", { headers: { cookie: opened.cookie } })).text, /The hidden text/);
  assert.doesNotMatch((await ask(gateway.address, "/hidden/")).text, /The hidden text/);
  assert.match((await ask(gateway.address, "/search/?query=lamp+7")).text, /Lamp 7/);
});

test("in a browser: log in, edit, publish; visitors see the change at once", async (t) => {
  for (const target of ["/", "/lamp-5/", "/feed/"]) await ask(gateway.address, target);
  const page = await open(t, [`--host-resolver-rules=MAP ${host} ${new URL(gateway.address).host}`]);
  await page.goto(`http://${host}/admin/login/`);
  await page.fill("input[name=username]", "editor");
  await page.fill("input[name=password]", "secret-of-the-editor");
  await page.click("button[type=submit]");
  await page.waitForURL(`http://${host}/admin/`);
  // The address of a page's editor is in the list of pages.
  await page.goto(`http://${host}/admin/pages/search/?q=Lamp+5`);
  const edit = await page.getAttribute("a[href*='/edit/']:has-text('Lamp 5')", "href");
  await page.goto(`http://${host}${edit}`);
  await page.fill("#id_title", "Edited in a browser");
  await page.click("button[aria-label='More actions'], [data-w-dropdown-target=toggle].w-dropdown__toggle--icon, .footer [data-w-dropdown-target=toggle]");
  await page.click("footer .w-dropdown__toggle");
  await page.click("button[name=action-publish]");
  await page.waitForSelector(".messages .success, .messages-success, li.success");
  await page.screenshot("wagtail-published");
  await shows("/lamp-5/", "Edited in a browser");
  await shows("/", "Edited in a browser");
  await shows("/feed/", "Edited in a browser");
  await page.goto(`http://${host}/lamp-5/`);
  assert.match(await page.content(), /Hello, editor/);
  assert.deepEqual(page.errors, []);
});

test("after all edits, every page is as the site sends it", async () => {
  const comparison = compare(gateway);
  await comparison.visit("after the edits", pages);
  await comparison.visit("again after the edits", pages);
  assert.deepEqual(comparison.found, []);
});
