/**
 * One situation for each reason that can be brought about here: `Cache-Status`, the line of the log and, where the situation lasts,
 * the explanation and the inspection state the same reason.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { adminToken, bypassToken, config, host, start, until } from "./harness.mjs";

const headers = { authorization: `Bearer ${adminToken}` };
const lab = (name) => `/lab/${name}`;
const own = ["broken", "paused", "plain"];

/** Routes of their own for what concerns a whole route. */
const routes = {
  ...Object.fromEntries(own.map((name) => [lab(name), {}])),
  "/lab/[name]": { query: ["page"] },
  "/blog/[slug]": { max_pages: 1 },
  "/size/[bytes]": {},
  "/cookie": { bypass_cookies: ["session"] },
  "/article": { http: "standard", revalidate: 300 },
  "/private": { revalidate: 0 },
  "/named/*": {},
};

let isr;
before(async () => {
  const settings = { log: "requests", hosts: [host], freshness_bound: 1, render_timeout: 3, miss_timeout: 2, max_body_bytes: 100_000, pass_ttl: 600 };
  isr = await start({ isr: config(settings, routes), troubled: true });
});

/** Sets a page of the lab up, and asks for it. */
async function page(name, behaviour = {}, init = {}) {
  const path = await isr.lab(name, behaviour);
  return { path, answer: await isr.fetch(path, init) };
}

/** Has the platform fail for one request. */
async function troubled(trouble, path) {
  await isr.trouble(trouble);
  try {
    return { path, answer: await isr.fetch(path) };
  } finally {
    await isr.trouble({});
  }
}

const unstorable = (name, behaviour) => async () => page(name, behaviour);

/**
 * How each situation comes about, and how the request ends. `lasts`: the next request ends in the same way, and an explanation knows why.
 * `unpublished`: the inspection of the page names the reason of its last render.
 */
const situations = {
  aged: { status: "STALE", lasts: true, async bring() {
    const { path } = await page("aged", { headers: { "X-ISR-Revalidate": "1" } });
    await isr.lab("aged", { delay_ms: 2500, headers: { "X-ISR-Revalidate": "1" } });
    await sleep(1200);
    return { path, answer: await isr.fetch(path) };
  } },
  invalidated: { status: "STALE", lasts: true, async bring() {
    const { path } = await page("invalidated");
    await isr.lab("invalidated", { delay_ms: 2500 });
    await isr.revalidate({ path, mode: "stale" });
    return { path, answer: await isr.fetch(path) };
  } },
  "feed-unavailable": { status: "STALE", async bring() {
    const { path } = await page("doubted", { headers: { "X-ISR-Revalidate": "300" } });
    await until("L1 to have it", async () => (await isr.fetch(path)).isr === "HIT");
    await isr.trouble({ tagIndex: "throws" });
    try {
      return { path, answer: await until("the feed to be too old", async () => {
        const answer = await isr.fetch(path);
        return answer.isr === "STALE" && answer;
      }) };
    } finally {
      await isr.trouble({});
    }
  } },
  "site-error": { status: "SKIP", unpublished: true, bring: async () => page("broken", { status: 503 }) },
  backoff: { status: "SKIP", lasts: true, async bring() {
    const { path } = await page("paused", { status: 503 });
    return { path, answer: await isr.fetch(path) };
  } },
  "pages-full": { status: "SKIP", async bring() {
    await isr.fetch("/blog/hello-edge");
    return { path: "/blog/second", answer: await isr.fetch("/blog/second") };
  } },
  "coordinator-unreachable": { status: "SKIP", bring: async () => troubled({ coordinator: "throws" }, lab("unreachable")) },
  "coordinator-overloaded": { status: "SKIP", bring: async () => troubled({ coordinator: "overloaded" }, lab("overloaded")) },
  "coordinator-failed": { status: "SKIP", bring: async () => troubled({ coordinator: "errs" }, lab("failed")) },
  "coordinator-timeout": { status: "SKIP", bring: async () => troubled({ coordinator: "hangs" }, lab("hanging")) },
  status: { status: "SKIP", lasts: true, unpublished: true, bring: unstorable("status", { status: 403 }) },
  partial: { status: "SKIP", lasts: true, unpublished: true, bring: unstorable("partial", { headers: { "Content-Range": "bytes 0-9/99" } }) },
  "cache-control": { status: "SKIP", lasts: true, unpublished: true, bring: unstorable("no-store", { headers: { "Cache-Control": "no-store" } }) },
  age: { status: "SKIP", lasts: true, unpublished: true, bring: unstorable("age", { headers: { "Cache-Control": "s-maxage=30", Age: "40" } }) },
  vary: { status: "SKIP", lasts: true, unpublished: true, bring: unstorable("vary", { headers: { Vary: "*" } }) },
  "too-large": { status: "SKIP", lasts: true, unpublished: true, bring: unstorable("large", { bytes: 100_001, announce: true }) },
  "set-cookie": { status: "SKIP", lasts: true, unpublished: true, bring: unstorable("cookie", { headers: { "Set-Cookie": "session=1" } }) },
  "event-stream": { status: "SKIP", lasts: true, unpublished: true, bring: unstorable("events", { headers: { "Content-Type": "text/event-stream" } }) },
  "revalidate-0": { status: "SKIP", lasts: true, bring: async () => ({ path: "/private", answer: await isr.fetch("/private") }) },
  "redirect-to-itself": { status: "SKIP", async bring() {
    return page("circle", { status: 301, headers: { Location: `http://${host}/lab/circle` } });
  } },
  "bypass-cookie": { status: "SKIP", bring: async () => ({ path: "/cookie", answer: await isr.fetch("/cookie", { headers: { cookie: "session=1" } }) }) },
  authorization: { status: "SKIP", bring: async () => ({ path: "/article", answer: await isr.fetch("/article", { headers: { authorization: "Bearer visitor" } }) }) },
  "request-directive": { status: "SKIP", async bring() {
    await isr.fetch("/article");
    return { path: "/article", answer: await isr.fetch("/article", { headers: { "cache-control": "no-cache" } }) };
  } },
  query: { status: "SKIP", lasts: true, bring: async () => ({ path: "/named/a?other=1", answer: await isr.fetch("/named/a?other=1") }) },
  "uri-too-long": { status: "SKIP", async bring() {
    const path = `${lab("long")}?page=${"x".repeat(4200)}`;
    return { path, answer: await isr.fetch(path) };
  } },
  "uri-encoding": { status: "SKIP", async bring() {
    const path = `${lab("encoded")}?page=%ff`;
    return { path, answer: await isr.fetch(path) };
  } },
  host: { status: "SKIP", bring: async () => ({ path: "/lab/elsewhere", answer: await isr.fetch("/lab/elsewhere", { visitedHost: "other.test" }) }) },
  breaker: { status: "SKIP", lasts: true, async bring() {
    for (let n = 0; n < 12; n++) await page(`sick-${n}`, { status: 500 });
    return page("well");
  } },
};

function lines() {
  return isr.logs.filter((line) => line.includes('"isr request"')).map((line) => JSON.parse(line.slice(line.indexOf("{"))));
}

for (const [reason, { status, lasts, unpublished, bring }] of Object.entries(situations)) {
  test(`${reason}: ${status}`, async () => {
    const { path, answer } = await bring();
    assert.deepEqual([answer.isr, answer.cacheStatus.detail], [status, reason], answer.headers.get("cache-status"));
    const { pathname } = new URL(path, `http://${host}`);
    const line = await until("the line", () => lines().findLast((line) => line.path === pathname && line.reason === reason));
    assert.deepEqual([line.outcome, line.cacheStatus, line.status], [status, answer.headers.get("cache-status"), answer.status]);
    if (!lasts && !unpublished) return;
    const query = new URLSearchParams({ url: `http://${host}${path}` });
    const explained = await isr.fetch(`/__isr/explain?${query}`, { headers });
    assert.equal(explained.status, 200, explained.text);
    const { explanation, facts } = explained.json;
    if (lasts) {
      assert.deepEqual(facts.request, { status, reason }, explanation);
      assert.ok(explanation.includes(`${status} (${reason})`) || /`revalidate = 0`|Not stored: /.test(explanation), explanation);
      const again = await isr.fetch(path);
      assert.deepEqual([again.isr, again.cacheStatus.detail], [status, reason], "for as long as it lasts");
    }
    if (unpublished) {
      assert.equal(facts.page.unpublished.reason, reason);
      const { entries } = (await isr.fetch(`/__isr/inspect?${new URLSearchParams({ path })}`, { headers })).json;
      assert.equal(entries[0].unpublished.reason, reason);
    }
  });
}

test("a draft, a MISS and a plain HIT have no reason", async () => {
  const path = await isr.lab("plain", {});
  const draft = await isr.fetch(path, { headers: { "x-isr-bypass": bypassToken } });
  const [miss, hit] = [await isr.fetch(path), await until("a HIT of L1", async () => {
    const answer = await isr.fetch(path);
    return answer.isr === "HIT" && answer.cacheStatus.detail === undefined && answer;
  })];
  assert.deepEqual([draft, miss, hit].map(({ isr, cacheStatus }) => [isr, cacheStatus.detail]), [["BYPASS", undefined], ["MISS", undefined], ["HIT", undefined]]);
  const found = await until("both lines", () => lines().filter((line) => line.path === path).length >= 2 && lines().filter((line) => line.path === path));
  assert.deepEqual(found.slice(0, 2).map(({ outcome, reason }) => [outcome, reason]), [["BYPASS", undefined], ["MISS", undefined]]);
});
