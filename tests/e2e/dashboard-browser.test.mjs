/** The dashboard in Chromium: by keyboard alone, with hostile names, on a small screen, and attacked by other pages. */
import assert from "node:assert/strict";
import http from "node:http";
import { before, test } from "node:test";

import { open as openBrowser } from "../examples/browser.mjs";
import { adminToken, config, start, until } from "./harness.mjs";

const hostile = "<img src=x onerror=document.title='owned'>";
const settings = config({}, { "/lab/[name]": { query: ["page"], shards: 2 }, "/article/*": { revalidate: 1 } });

let isr, address;
before(async () => {
  isr = await start({ isr: settings });
  address = isr.address.replace("127.0.0.1", "localhost");
  const visitedHost = new URL(address).host;
  for (let number = 0; number < 5; number += 1) {
    const page = await isr.lab(`page-${number}`, { headers: { "X-ISR-Revalidate": "false", "Cache-Tag": `post:${number}, all, ${hostile}` } });
    await isr.fetch(page, { visitedHost });
  }
  await isr.fetch(`${await isr.lab("queried", { headers: { "X-ISR-Revalidate": "1" } })}?page=%3Cscript%3Ealert(1)%3C/script%3E`, { visitedHost });
  await isr.fetch(await isr.lab("failing", { status: 500 }), { visitedHost });
});

/** Opens the dashboard. What the policy has refused, and what goes wrong otherwise, is in `problems`. */
async function open(t, { viewport = { width: 1200, height: 900 }, colorScheme = "light" } = {}) {
  const page = await openBrowser(t);
  await page.setViewportSize(viewport);
  await page.emulateMedia({ colorScheme });
  const problems = page.errors;
  page.on("console", (message) => {
    // A wrong token is a response that the browser reports as well.
    if (message.type() === "error" && !message.text().includes("401 (Unauthorized)")) problems.push(message.text());
  });
  await page.addInitScript(() => addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => console.error(`policy: ${violatedDirective} ${blockedURI}`)));
  await page.goto(`${address}/__isr/`);
  await page.getByLabel("Admin token").waitFor();
  return Object.assign(page, { problems });
}

async function signIn(page) {
  await page.getByLabel("Admin token").fill(adminToken);
  await page.keyboard.press("Enter");
  await page.getByText(/^Updated/).waitFor();
}

/** Presses Tab until an element has the focus. */
async function tabTo(page, locator) {
  for (let presses = 0; presses < 80; presses += 1) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`${locator} can't be reached by the keyboard`);
}

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

test("signs in, asks, invalidates, explains and signs out by the keyboard alone", { timeout: 120_000 }, async (t) => {
  const page = await open(t);
  await page.keyboard.type("wrong");
  await page.keyboard.press("Enter");
  await page.getByText("The token is wrong.").waitFor();
  await page.screenshot("dashboard-sign-in");
  await page.keyboard.type(adminToken);
  await page.keyboard.press("Enter");
  await page.getByText(/^Updated/).waitFor();
  assert.equal(await page.locator("#figure-failing").textContent(), "1");
  assert.match(await page.locator("#figure-pages-note").textContent(), /5 fresh/);
  assert.match(await page.locator("#decisions").textContent(), /site-error · status 500/);
  assert.match(await page.locator("#tags").textContent(), /post:3/);
  const [cookie] = await page.context().cookies();
  assert.deepEqual([cookie.name, cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path], ["__Host-isr-session", true, true, "Strict", "/"]);
  assert.equal(await page.evaluate(() => document.cookie), "");

  const kind = page.getByLabel("What", { exact: true });
  await tabTo(page, kind);
  await page.keyboard.type("Tag");
  await tabTo(page, page.getByLabel("Value", { exact: true }));
  await page.keyboard.type("all");
  await page.keyboard.press("Enter");
  await page.getByText("Dry run: 5 pages match tag all. Nothing was changed.").waitFor();
  assert.equal(await page.locator("#matches tbody tr").count(), 5);
  await tabTo(page, page.getByRole("button", { name: "Invalidate …", exact: true }));
  await page.keyboard.press("Enter");
  await page.getByText("Invalidate tag all with the mode “expire”? Now 5 pages match.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.equal((await isr.fetch("/__isr/invalidations", { headers: { authorization: `Bearer ${adminToken}` } })).json.invalidations.length, 0);
  await tabTo(page, page.getByLabel("Render the pages at once"));
  await page.keyboard.press("Space");
  await tabTo(page, page.getByRole("button", { name: "Invalidate …", exact: true }));
  await page.keyboard.press("Enter");
  await tabTo(page, page.getByRole("button", { name: "Invalidate", exact: true }));
  await page.keyboard.press("Enter");
  await page.getByText(/^Number \d+ is done: .*5 of 5 pages rendered/).waitFor();
  assert.match(await page.locator("#invalidation-list").textContent(), /tag all \(expire, eager\)/);
  const bar = page.getByRole("progressbar").first();
  assert.deepEqual(await bar.evaluate(({ value, max }) => value / max), 1);

  await tabTo(page, page.getByLabel("URL or path"));
  await page.keyboard.type("/lab/failing");
  await page.keyboard.press("Enter");
  await page.getByText(/last render failed .*\(500\)/i).waitFor();

  await page.keyboard.press("Home");
  const out = page.getByRole("button", { name: "Sign out" });
  await out.focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("Admin token").waitFor();
  assert.deepEqual(await page.context().cookies(), []);
  assert.deepEqual(page.problems, []);
});

test("hostile names are text", { timeout: 60_000 }, async (t) => {
  const page = await open(t);
  await signIn(page);
  await page.locator("#tags").getByText(hostile).waitFor();
  await page.getByRole("button", { name: `Invalidate tag ${hostile}` }).click();
  await page.getByRole("button", { name: "Dry run" }).click();
  await page.getByText(`Dry run: 5 pages match tag ${hostile}.`).waitFor();
  await page.getByLabel("URL or path").fill(`/lab/${hostile}`);
  await page.keyboard.press("Enter");
  await page.locator("#facts-part").waitFor();
  assert.match(await page.locator("#stalest").textContent(), /script/i);
  assert.deepEqual(await page.evaluate(() => [document.title, document.querySelectorAll("img").length, document.scripts.length]), ["cloudflare-isr dashboard", 0, 1]);
  // Even a script on the page could not make markup of a text.
  const thrown = await page.evaluate(() => {
    try {
      document.body.innerHTML = "<b>x</b>";
      return "nothing";
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(thrown, "TypeError");
  assert.ok(page.problems.every((problem) => /trusted/i.test(problem)), page.problems.join("\n"));
});

test("another page can neither use the session nor frame the dashboard", { timeout: 60_000 }, async (t) => {
  const page = await open(t);
  await signIn(page);
  const evil = http.createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<form method="post" action="${address}/__isr/revalidate" enctype="text/plain"><input name='{"everything":true,"x":"' value='"}'></form><iframe src="${address}/__isr/"></iframe>`);
  });
  await new Promise((resolve) => evil.listen(0, "127.0.0.1", resolve));
  t.after(() => evil.close());
  const statuses = [];
  // `localhost` with another port is the same site: the cookie is sent.
  for (const host of ["localhost", "127.0.0.1"]) {
    const other = await page.context().newPage();
    other.on("response", (response) => response.url().includes("/__isr/revalidate") && statuses.push(response.status()));
    await other.goto(`http://${host}:${evil.address().port}/`);
    const read = await other.evaluate(async (address) => {
      const init = { method: "POST", mode: "no-cors", credentials: "include", body: '{"everything":true}' };
      await fetch(`${address}/__isr/revalidate`, init);
      return fetch(`${address}/__isr/overview`, { credentials: "include" }).then(() => "read", () => "refused");
    }, address);
    assert.equal(read, "refused");
    const frame = other.frames().find((frame) => frame !== other.mainFrame());
    assert.equal(await frame?.getByLabel("Admin token").count().catch(() => 0) ?? 0, 0, "no frame");
    await Promise.all([other.waitForURL(/revalidate/), other.evaluate(() => document.forms[0].submit())]);
    assert.match(await other.textContent("body"), /unauthorized/);
    await other.close();
  }
  assert.ok(statuses.length >= 4 && statuses.every((status) => status === 401), statuses.join());
  const { json } = await isr.fetch("/__isr/invalidations", { headers: { authorization: `Bearer ${adminToken}` } });
  assert.ok(json.invalidations.every(({ everything }) => !everything));
});

test("a failed question says since when the numbers are old, and a session that is over asks for the token", { timeout: 60_000 }, async (t) => {
  const page = await open(t);
  await signIn(page);
  await page.route("**/__isr/overview*", (route) => route.fulfill({ status: 503, contentType: "application/json", body: '{"error":{"code":"unavailable","message":"an object could not be reached"}}' }));
  await page.getByText(/The last question failed: an object could not be reached \(503\)\. The numbers are from \d\d:\d\d:\d\d\./).waitFor();
  await page.unroute("**/__isr/overview*");
  await page.locator("#alert").filter({ hasText: /^$/ }).waitFor({ state: "attached", timeout: 20_000 });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText(/^Paused; numbers of/).waitFor();
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("Your session has ended, or the token is another one. Sign in again.").waitFor();
  assert.ok(await page.getByLabel("Admin token").evaluate((field) => field === document.activeElement));
});

test("a page that nobody sees asks nothing", { timeout: 60_000 }, async (t) => {
  const page = await open(t);
  await signIn(page);
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForTimeout(1000);
  let asked = 0;
  page.on("request", () => asked++);
  await page.waitForTimeout(7000);
  assert.equal(asked, 0);
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: false });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await until("it asks again", async () => asked > 0);
});

/** Counters as they grow by the minute. */
function counters(minute) {
  const wave = (scale, shift) => Math.round(scale * (minute + Math.sin(minute + shift)));
  const lines = [
    ["isr_requests_total", 'outcome="HIT"', wave(400, 0)], ["isr_requests_total", 'outcome="STALE"', wave(60, 1)], ["isr_requests_total", 'outcome="MISS"', wave(30, 2)],
    ["isr_requests_total", 'outcome="SKIP"', wave(20, 3)], ["isr_requests_total", 'outcome="BYPASS"', wave(3, 4)],
    ["isr_renders_total", 'shard="0",result="done"', wave(80, 1)], ["isr_renders_total", 'shard="0",result="failed-status"', wave(6, 2)], ["isr_renders_total", 'shard="0",result="uncacheable"', wave(20, 3)],
  ];
  const gauges = ["isr_tag_indexes_asked 1", "isr_tag_indexes_answered 1", "isr_coordinators_known 2", "isr_coordinators_asked 2", "isr_coordinators_answered 2"];
  return [...gauges, ...lines.map(([name, labels, value]) => `${name}{route="/lab/[name]",${labels}} ${Math.max(0, value)}`)].join("\n");
}

for (const [name, viewport, colorScheme] of [["light", { width: 1200, height: 900 }, "light"], ["dark", { width: 1200, height: 900 }, "dark"], ["phone", { width: 360, height: 740 }, "dark"]]) {
  test(`looks right: ${name}`, { timeout: 90_000 }, async (t) => {
    const page = await openBrowser(t);
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await page.clock.install();
    let minute = 0;
    await page.route("**/__isr/overview", async (route) => {
      const overview = await (await route.fetch()).json();
      // Visits arrive after minutes.
      const pages = [`${address}/lab/page-1`, `${address}/lab/a-page-with-a-rather-long-name-that-does-not-fit?page=2`];
      overview.hottest = pages.map((key, at) => ({ shard: "/lab/[name]#0", key, heat: 1234 - 1000 * at, renderedAt: overview.now - 90_000, freshUntil: null }));
      await route.fulfill({ json: overview });
    });
    await page.route("**/__isr/metrics", (route) => route.fulfill({ contentType: "text/plain", body: counters(minute) }));
    await page.goto(`${address}/__isr/`);
    await signIn(page);
    const state = page.locator("#state");
    for (minute = 1; minute < 12; minute += 1) {
      const before = await state.textContent();
      await page.clock.fastForward(60_000);
      await until("the next round", async () => (await state.textContent()) !== before);
    }
    await page.getByText(/^Requests since this page was opened: [1-9]/).waitFor();
    assert.match(await page.locator("#hit-ratio").textContent(), /^\d\d(\.\d)? %$/);
    await page.getByLabel("What", { exact: true }).selectOption("tag");
    await page.getByLabel("Value", { exact: true }).fill("all");
    await page.getByRole("button", { name: "Dry run" }).click();
    await page.getByText(/^Dry run:/).waitFor();
    await page.getByLabel("URL or path").fill("/lab/failing");
    await page.keyboard.press("Enter");
    await page.locator("#facts-part").waitFor();
    assert.equal(await overflow(page), 0, "nothing is cut off at the side");
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot(`dashboard-${name}`);
    await page.screenshot(`dashboard-${name}-whole`, { fullPage: true });
    assert.deepEqual(page.errors, []);
  });
}
