/** What is counted and logged: `/__isr/metrics`, Analytics Engine, and one line of the log for a request. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { adminToken, config, root, start, until } from "./harness.mjs";

const headers = { authorization: `Bearer ${adminToken}` };

/** How long an isolate counts before it sends a message, and how often an object saves its counters. */
const MINUTE = 60_000;

let isr;
let sent = 0;
let first;

/** Reads the text format: values by name and labels. */
function read(text) {
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

/** The sum of the values of a metric whose labels contain a text. */
function sum(values, name, labels = "") {
  const found = Object.entries(values).filter(([key]) => key.startsWith(`${name}{`) && key.includes(labels));
  return found.reduce((total, [, value]) => total + value, 0);
}

async function scrape(query = "") {
  const answer = await isr.fetch(`/__isr/metrics${query}`, { headers });
  assert.equal(answer.status, 200, answer.text);
  return { answer, values: read(answer.text) };
}

/** Asks for a page of `/lab/[name]`, and counts. */
async function ask(page) {
  first ??= performance.now();
  sent++;
  return isr.fetch(page);
}

before(async () => {
  isr = await start({ isr: config({ log: "requests" }), main: ["tests/e2e/analysed.mjs"] });
});

test("each request is counted once, and a thousand HITs call no object", { timeout: 3 * MINUTE }, async () => {
  const page = await isr.lab("counted", { headers: { "X-ISR-Revalidate": "3000" } });
  const other = await isr.lab("soon-stale", { headers: { "X-ISR-Revalidate": "1" } });
  const secret = await isr.lab("private", { headers: { "Cache-Control": "private" } });
  assert.deepEqual([(await ask(page)).isr, (await ask(secret)).isr, (await ask(secret)).isr, (await ask(other)).isr], ["MISS", "SKIP", "SKIP", "MISS"]);
  const outcomes = new Map();
  for (let n = 0; n < 1000; n++) {
    const { isr: outcome, cacheStatus } = await ask(page);
    const key = `outcome="${outcome}",reason="${cacheStatus.detail ?? ""}"`;
    outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
  }
  assert.ok(outcomes.get('outcome="HIT",reason="memory"') > 500, "most of them from memory");
  await sleep(1500);
  assert.equal((await ask(other)).isr, "STALE");

  await sleep(first + MINUTE + 1500 - performance.now());
  // It sends the counts of the minute, and is of the next one itself.
  await isr.fetch(page);
  await sleep(1000);
  const { values } = await until("the counts", async () => {
    const scraped = await scrape();
    return sum(scraped.values, "isr_requests_total") > 0 && scraped;
  }, { timeout: 90_000, every: 1000 });
  assert.equal(sum(values, "isr_requests_total", 'route="/lab/[name]"'), sent);
  for (const [labels, count] of outcomes) assert.equal(sum(values, "isr_requests_total", `route="/lab/[name]",${labels}`), count, labels);
  assert.equal(sum(values, "isr_requests_total", 'outcome="MISS"'), 2);
  assert.equal(sum(values, "isr_requests_total", 'outcome="SKIP",reason="cache-control"'), 2);
  assert.equal(sum(values, "isr_requests_total", 'outcome="STALE",reason="aged"'), 1);
  assert.equal(sum(values, "isr_hand_overs_total"), 1);
  const calls = sum(values, "isr_object_calls_total", "coordinator");
  assert.ok(calls >= 4 && calls <= 8, `${calls} calls of a coordinator for ${sent} requests`);
});

test("a coordinator reports what it has done, with the visits that came with a report", { timeout: 2 * MINUTE }, async () => {
  const { answer, values } = await until("the counters of the coordinator", async () => {
    const scraped = await scrape();
    return sum(scraped.values, "isr_visits_total") > 1000 && scraped;
  }, { timeout: 90_000, every: 1000 });
  const of = 'route="/lab/[name]",shard="0"';
  assert.equal(sum(values, "isr_coordinator_requests_total", `${of},kind="stale"`), 1);
  assert.ok(sum(values, "isr_renders_total", `${of},result="done"`) >= 2);
  assert.equal(sum(values, "isr_renders_total", `${of},result="uncacheable"`), 1);
  assert.equal(values[`isr_render_duration_seconds_count{${of}}`], sum(values, "isr_renders_total", of));
  assert.ok(sum(values, "isr_l2_writes_total", `${of},result="written"`) >= 2);
  assert.equal(values[`isr_breaker_open{${of}}`], 0);
  assert.equal(values.isr_healthy, 1);
  assert.equal(values.isr_coordinators_asked, values.isr_coordinators_known);
  assert.match(answer.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  const beyond = (await scrape("?from=1000")).values;
  assert.deepEqual([beyond.isr_coordinators_asked, beyond.isr_coordinators_known > 0], [0, true]);
});

test("each metric in the rules and in the dashboard is in a real answer", async () => {
  const { answer } = await scrape();
  const types = new Map([...answer.text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => [name, type]));
  const rules = await readFile(path.join(root, "docs/alerts.yml"), "utf8");
  const dashboard = JSON.parse(await readFile(path.join(root, "docs/grafana.json"), "utf8"));
  const expressions = dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr));
  assert.ok(dashboard.panels.length >= 10 && new Set(dashboard.panels.map(({ id }) => id)).size === dashboard.panels.length);
  const alerts = [...rules.matchAll(/^ {6}- alert: (\w+)\n {8}expr: /gm)];
  assert.ok(alerts.length >= 8 && new Set(alerts.map(([, name]) => name)).size === alerts.length);
  const queries = dashboard.templating.list.map(({ query }) => query);
  for (const text of [rules.replaceAll(/^#.*$/gm, ""), ...expressions, ...queries]) {
    for (const [name] of text.matchAll(/\bisr_\w+/g)) {
      const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
      assert.ok(types.has(family), `${name} is in no answer`);
      if (family !== name) assert.equal(types.get(family), "histogram", name);
    }
  }
});

test("a dataset gets the counts of each minute", async () => {
  const points = (await isr.fetch("/points")).json;
  const hit = points.find(({ blobs }) => blobs[1] === "HIT" && blobs[2] === "memory");
  assert.deepEqual([hit.indexes, hit.blobs.length, hit.doubles[0] > 500], [["/lab/[name]"], 4, true]);
  const { values } = await scrape();
  const total = points.reduce((total, { doubles }) => total + doubles[0], 0);
  assert.ok(total >= sum(values, "isr_requests_total") && total > 1000, `${total}`);
});

test("wrong tokens and methods are refused", async () => {
  for (const wrong of [{}, { authorization: "Bearer wrong" }]) {
    const refused = await isr.fetch("/__isr/metrics", { headers: wrong });
    assert.deepEqual([refused.status, refused.json.error.code], [401, "unauthorized"]);
  }
  const posted = await isr.fetch("/__isr/metrics", { method: "POST", headers });
  assert.deepEqual([posted.status, posted.headers.get("allow")], [405, "GET"]);
});

/** The lines about a path. */
function lines(runtime, page) {
  const objects = runtime.logs.filter((line) => line.includes('"isr request"')).map((line) => JSON.parse(line.slice(line.indexOf("{"))));
  return objects.filter((line) => line.path === page);
}

test("the log has a line for each request but a plain HIT, without a value of the query", async () => {
  assert.equal(lines(isr, "/lab/counted").length, 1, "the MISS");
  const answer = await isr.fetch("/lab/counted?utm_source=secret-value");
  assert.equal(answer.isr, "HIT");
  const page = await isr.lab("logged", {});
  const miss = await isr.fetch(`${page}?gclid=secret-value`);
  const [line] = await until("the line", () => lines(isr, page).length > 0 && lines(isr, page));
  const { page: version, keyHash, durationMs, ...rest } = line;
  assert.deepEqual(rest, {
    message: "isr request", method: "GET", path: page, query: ["gclid"], route: "/lab/[name]", outcome: "MISS",
    cacheStatus: miss.headers.get("cache-status"), status: 200, version: rest.version,
  });
  assert.match(version, /^[0-9A-Z]{26}$/);
  assert.match(keyHash, /^[0-9a-f]{16}$/);
  assert.ok(durationMs >= 0);
  assert.ok(!isr.logs.some((line) => line.includes("secret-value")));
});

test("by default the log has lines for problems only, and with `none` it has none", async () => {
  for (const [log, expected] of [[undefined, 1], ["none", 0]]) {
    const runtime = await start({ isr: config({ ...(log && { log }) }) });
    const good = await runtime.lab("good", {});
    const broken = await runtime.lab("broken", { status: 503 });
    for (const page of [good, broken]) await runtime.fetch(page);
    await sleep(300);
    assert.deepEqual([lines(runtime, good).length, lines(runtime, broken).length], [0, expected], log);
    if (expected) assert.deepEqual([lines(runtime, broken)[0].reason, lines(runtime, broken)[0].status], ["site-error", 503]);
    await runtime.kill();
  }
});

test("without the setting `metrics` nothing is counted", async () => {
  const runtime = await start({ isr: config({ metrics: false }) });
  for (let n = 0; n < 3; n++) await runtime.fetch("/lab/uncounted");
  const values = read((await runtime.fetch("/__isr/metrics", { headers })).text);
  assert.deepEqual([sum(values, "isr_requests_total"), sum(values, "isr_coordinator_requests_total"), sum(values, "isr_feed_polls_total")], [0, 0, 0]);
  assert.equal(values.isr_coordinators_known, 1);
  await runtime.kill();
});
