/** WordPress 6 behind the gateway: with the defaults and one route, and with the recipe of docs/recipes/wordpress.md. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { open } from "../examples/browser.mjs";
import { Comparison, ask, crawl } from "./crawler.mjs";
import { adminToken, bypassToken, defaults, gatewayFor, keep, recipeOf } from "./gateway.mjs";
import { freePort, host } from "./programs.mjs";
import { startWordPress } from "./wordpress/site.mjs";

/** How many URLs are visited. */
const most = Number(process.env.ISR_SITES_PAGES ?? 160);

let site, gateway, plain, pages;

/** What a crawler does not follow: URLs that log out, or change something, such as one that begins a new draft. */
const except = /post-new\.php|action=(?!lostpassword|register)|_wpnonce|customize\.php|\/site-health|update-core|plugin-install|theme-install|import\.php|export\.php/;
const seeds = ["/", "/?s=lamp", "/?s=no+such+lamp", "/?s=%D0%BC%D0%B8%D1%80", "/feed/", "/feed/atom/", "/?feed=rss2", "/robots.txt", "/wp-sitemap.xml", "/favicon.ico",
  "/no-such-page/", "/2026", "/2026/lamp-3", "/2026/lamp-3/?utm_source=mail", "/?page_id=2", "/?author=1", "/author/editor/", "/lamp-3", "/wp-login.php", "/wp-admin/", "/wp-login.php?redirect_to=%2Fwp-admin%2F",
  `/wp-content/uploads/${new Date().toISOString().slice(0, 7).replace("-", "/")}/manual.txt`, "/2026/private-post/", "/2026/draft-post/", "/2026/two-parts/2/", "/wp-json/wp/v2/posts", "/wp-json/wp/v2/posts?per_page=2&page=2", "/readme.html", "/wp-cron.php", "/wp-admin/load-styles.php?c=0&load%5B%5D=dashicons,buttons,forms,l10n,login&ver=6.1.9",
  "/xmlrpc.php", "/wp-includes/", "/2026/lamp-3/embed/", "/2026/lamp-8/#comments"];

const kindOf = (target) => {
  const [path, query] = target.split("?");
  if (/^\/wp-json/.test(path)) return query ? "REST API with parameters" : "REST API";
  if (/^\/wp-(?:admin|login|cron|comments)|xmlrpc/.test(path)) return "administration, log in, XML-RPC";
  if (/^\/wp-(?:includes|content)|\.(?:ico|html|txt)$/.test(path)) return "files";
  if (/feed|sitemap/.test(path)) return query ? "feeds with parameters" : "feeds and sitemaps";
  return query ? "pages with parameters, search" : "pages";
};

/** Takes out what differs between any two renders, and spells percent-encodings and the tracking parameter alike. */
const normalized = (text) => text
  .replaceAll(/(data-secret=(?:\\?"|&quot;))\w+|(#\?secret=)\w+/g, "$1$2")
  .replaceAll(/(wp-embed-share-\w+-\w+-\d+-)\d+/g, "$1")
  .replaceAll(/%7C\d+%7C\w+%7C\w+/g, "")
  .replaceAll(/\?utm_source=mail/g, "")
  .replaceAll(/%[0-9a-f]{2}/gi, (encoded) => encoded.toLowerCase())
  // Nonces, suggested passwords, times, and addresses of mail that are spelled at random.
  .replaceAll(/(name="_wpnonce" value="|"nonce":"|nonce=|_nonce":")\w{10}/g, "$1")
  .replaceAll(/data-pw="[^"]*"|<kbd>\w{8}<\/kbd>|name="pagegen_timestamp" value="[^"]*"|wp-settings-time-1=\d+/g, "")
  // The moment of the answer: when cookies expire, and the date that a list of posts offers for a change.
  .replaceAll(/(?<=expires=)\w{3}, [^;]*GMT/g, "")
  .replaceAll(/(name="(?:hidden_|cur_)?(?:jj|hh|mn|ss)" value=")\d\d/g, "$1")
  .replaceAll(/&#0?(\d+);/g, (_, code) => String.fromCharCode(code))
  .replaceAll(/"?(?:server_time|nowms|time|timestamp)"?\s*:\s*"?\d+/g, "")
  .replaceAll(/value="\d{10}"/g, "");

const compare = (through) => new Comparison({ direct: site.address, gateway: through.address, normalized });

const urlencoded = { "content-type": "application/x-www-form-urlencoded" };
const form = (fields, headers = {}) => ({ method: "POST", headers: { ...urlencoded, ...headers }, body: new URLSearchParams(fields).toString() });

/** Returns the cookies that an answer sets, as a browser sends them back. */
function cookiesOf(answer) {
  const set = (answer.fields["set-cookie"] ?? "").split("\n").filter((cookie) => !/max-age=0/i.test(cookie));
  return set.map((cookie) => cookie.split(";")[0]).join("; ");
}

/** Asserts that a page that visitors get shows a text now. */
async function shows(target, text) {
  const [direct, through] = await Promise.all([site.address, gateway.address].map((address) => ask(address, target)));
  assert.ok(direct.text.includes(text), `${target} of the site does not show ${text}`);
  assert.ok(through.text.includes(text), `${target} of the gateway [${through.outcome}] does not show ${text}\n${await site.log()}`);
}

/** Clicks a button of the editor that saves the post, and waits for the end of WordPress's answer. */
async function saves(page, button) {
  const isSaved = (response) => /\/wp\/v2\/posts\/\d+/.test(decodeURIComponent(response.url())) && response.request().method() !== "GET";
  const [response] = await Promise.all([page.waitForResponse(isSaved), page.click(button)]);
  await response.finished();
}

async function logIn(address, log, pwd) {
  const test = "wordpress_test_cookie=WP%20Cookie%20check";
  const answer = await ask(address, "/wp-login.php", form({ log, pwd, "wp-submit": "Log In", testcookie: "1", redirect_to: `http://${host}/wp-admin/` }, { cookie: test }));
  assert.equal(answer.status, 302, answer.text);
  return { cookie: `${test}; ${cookiesOf(answer)}`, location: answer.fields.location };
}

before(async () => {
  const port = await freePort();
  site = await startWordPress({ gateway: `http://127.0.0.1:${port}`, adminToken, bypassToken });
  gateway = await gatewayFor(site.address, recipeOf("wordpress"), { port });
  plain = await gatewayFor(site.address, defaults);
  pages = await crawl(site.address, seeds, { except, most });
});

test("with the defaults and one route, every page is as the site sends it, cold and from the cache", async () => {
  const comparison = compare(plain);
  await comparison.visit("cold", pages);
  await comparison.visit("again", pages);
  await keep("wordpress-defaults", comparison.report(kindOf));
  assert.deepEqual(comparison.found, []);
});

test("with the recipe, the same, and in all other ways to ask for a page", async () => {
  const comparison = compare(gateway);
  await comparison.visit("cold", pages);
  await comparison.visit("again", pages);
  await keep("wordpress", comparison.report(kindOf));
  const isRun = ([target]) => /^\/wp-(?:login|cron|comments|signup|activate|mail)|^\/wp-admin\/(?!css|js|images)/.test(target);
  assert.deepEqual([...comparison.outcomes].filter(isRun).filter(([, outcomes]) => outcomes.includes("HIT")), [], "programs run each time");
  await comparison.variations(pages);
  assert.deepEqual(comparison.found, []);
});

test("stale pages are as they were, and then as they are", async () => {
  const answer = await gateway.revalidate({ everything: true, mode: "stale" });
  assert.equal(answer.status, 200, answer.text);
  const comparison = compare(gateway);
  await comparison.visit("stale", pages);
  const stale = [...comparison.outcomes.values()].filter(([outcome]) => outcome === "STALE").length;
  await comparison.visit("later", pages);
  assert.ok(stale > 100, `${stale} stale pages`);
  assert.deepEqual(comparison.found, []);
});

test("an editor sees the site's own pages, with the bar and drafts, and visitors see none of it", async () => {
  const { cookie, location } = await logIn(gateway.address, "editor", "secret-of-the-editor");
  assert.equal(location, `http://${host}/wp-admin/`);
  assert.match(cookie, new RegExp(`__isr_bypass=${bypassToken}`));
  const headers = { cookie };
  const own = await crawl(site.address, ["/wp-admin/", "/wp-admin/edit.php", "/wp-admin/load-scripts.php?c=0&load%5Bchunk_0%5D=jquery-core,jquery-migrate,utils&ver=6.1.9"], { headers, except, most: 60 });
  const comparison = compare(gateway);
  await comparison.visit("editor", [...pages.slice(0, 60), ...own], { headers });
  assert.deepEqual(comparison.found, []);
  assert.match((await ask(gateway.address, "/", { headers })).text, /id="wpadminbar"/);
  assert.match((await ask(gateway.address, "/2026/private-post/", { headers })).text, /Only for editors/);

  const visitors = compare(gateway);
  await visitors.visit("after the editor", pages);
  assert.deepEqual(visitors.found, []);
});

test("a reader who is logged in passes the cache without the token of draft mode", async () => {
  const { cookie } = await logIn(gateway.address, "reader", "secret-of-the-reader");
  assert.doesNotMatch(cookie, /__isr_bypass/);
  const answer = await ask(gateway.address, "/2026/lamp-4/", { headers: { cookie } });
  assert.equal(answer.outcome, "SKIP bypass-cookie");
  assert.match(answer.text, /Logged in as reader/);
});

test("forms: a comment appears at once, a password opens a page for its visitor alone, a search finds", async () => {
  const before = await ask(gateway.address, "/2026/lamp-7/");
  assert.ok(before.isCached, before.outcome);
  const id = /name='comment_post_ID' value='(\d+)'/.exec(before.text)[1];
  const sent = await ask(gateway.address, "/wp-comments-post.php", form({ comment: "A comment of the test", author: "Bea", email: "bea@site.test", "wp-comment-cookies-consent": "yes", comment_post_ID: id, comment_parent: "0" }));
  assert.equal(sent.status, 302, sent.text);
  assert.match(sent.fields.location, new RegExp(`^http://${host}/2026/lamp-7/.*#comment-`));
  assert.match((await ask(gateway.address, "/2026/lamp-7/", { headers: { cookie: cookiesOf(sent) } })).text, /value="Bea"/);
  const after = await ask(gateway.address, "/2026/lamp-7/");
  assert.match(after.text, /A comment of the test/);
  assert.doesNotMatch(after.text, /value="Bea"/);
  assert.match((await ask(gateway.address, "/comments/feed/")).text, /A comment of the test/);

  assert.doesNotMatch((await ask(gateway.address, "/2026/protected/")).text, /The hidden text/);
  const opened = await ask(gateway.address, "/wp-login.php?action=postpass", form({ post_password: "open" }, { referer: `http://${host}/2026/protected/` }));
  assert.deepEqual([opened.status, opened.fields.location], [302, `http://${host}/2026/protected/`]);
  assert.match((await ask(gateway.address, "/2026/protected/", { headers: { cookie: cookiesOf(opened) } })).text, /The hidden text/);
  assert.doesNotMatch((await ask(gateway.address, "/2026/protected/")).text, /The hidden text/);

  assert.match((await ask(gateway.address, "/?s=number+7")).text, /Lamp 7/);
  const wrong = await ask(gateway.address, "/wp-login.php", form({ log: "editor", pwd: "wrong", testcookie: "1" }, { cookie: "wordpress_test_cookie=WP%20Cookie%20check" }));
  assert.match(wrong.text, /login_error/);
});

test("in a browser: log in, publish, edit, log out; visitors see each change at once", async (t) => {
  const page = await open(t, [`--host-resolver-rules=MAP ${host} ${new URL(gateway.address).host}`]);
  await page.goto(`http://${host}/wp-login.php`);
  await page.fill("#user_login", "editor");
  await page.fill("#user_pass", "secret-of-the-editor");
  await page.click("#wp-submit");
  await page.waitForURL(`http://${host}/wp-admin/`);
  await page.goto(`http://${host}/wp-admin/post-new.php`);
  await page.waitForFunction(() => window.wp?.data?.select("core/editor")?.getCurrentPostId());
  await page.evaluate(() => window.wp.data.dispatch("core/preferences").set("core/edit-post", "welcomeGuide", false));
  await page.click(".editor-post-title__input");
  await page.keyboard.type("Published in a browser");
  await page.keyboard.press("Enter");
  await page.keyboard.type("Its first text");
  await page.click(".editor-post-publish-panel__toggle");
  await saves(page, ".editor-post-publish-panel .editor-post-publish-button");
  await page.waitForSelector(".post-publish-panel__postpublish");
  await page.screenshot("wordpress-published");
  for (const target of ["/", "/feed/", "/wp-json/wp/v2/posts", "/author/editor/"]) {
    await shows(target, "Published in a browser");
  }
  const year = new Date().getUTCFullYear();
  await shows(`/${year}/published-in-a-browser/`, "Its first text");

  await page.click("button[aria-label='Close panel']");
  await page.click(".editor-post-title__input");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Edited in a browser");
  await saves(page, ".editor-post-publish-button");
  for (const target of ["/", `/${year}/published-in-a-browser/`]) await shows(target, "Edited in a browser");

  await page.goto(`http://${host}/`);
  assert.match(await page.content(), /id="wpadminbar"/);
  await page.goto(await page.getAttribute("#wp-admin-bar-logout a", "href"));
  await page.goto(`http://${host}/`);
  assert.doesNotMatch(await page.content(), /id="wpadminbar"/);
  assert.match(await page.content(), /Edited in a browser/);
  assert.deepEqual(page.errors, []);
});

test("after all edits, every page is as the site sends it", async () => {
  const all = await crawl(site.address, seeds, { except, most });
  const comparison = compare(gateway);
  await comparison.visit("after the edits", all);
  await comparison.visit("again after the edits", all);
  assert.deepEqual(comparison.found, []);
});
