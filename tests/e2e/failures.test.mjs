/** A failing origin: the last good page stays, attempts are bounded, and the cache recovers with the origin. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { config, start, until } from "./harness.mjs";

const failures = {
  "answers 500": { status: 500, body: "an error page" },
  "answers 429": { status: 429, body: "too many" },
  "throws": { fail: "throw" },
  "breaks off in the middle of the body": { fail: "break", body: "x".repeat(10_000), chunks: 10 },
  "answers 200 with nothing in it": { body: "" },
  "takes longer than render_timeout": { delay_ms: 1500 },
  "takes longer than render_timeout for the body": { chunks: 10, chunk_delay_ms: 300 },
};
const nameOf = (kind) => kind.replaceAll(/\W+/g, "-");

// A route for each, so that the breaker of one does not hold back the others.
const names = Object.keys(failures).flatMap((kind) => [`good-then-${nameOf(kind)}`, `never-good-${nameOf(kind)}`]);
const routes = Object.fromEntries(names.map((name) => [`/lab/${name}`, { revalidate: 10 }]));

let isr;
before(async () => (isr = await start({ isr: config({ render_timeout: 1 }, routes) })));

/** Asks for a page; one that breaks off has no text. */
const ask = (path) => isr.fetch(path).catch(() => ({ isr: "MISS", status: 0, text: "broken off", cacheStatus: {} }));

/** Asks every 50 ms for some seconds. */
async function traffic(path, seconds) {
  const answers = [];
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(50)) {
    answers.push(await ask(path));
  }
  return answers;
}

// They share the seconds that they wait.
test("a page that was good", { concurrency: true }, async (t) => {
  const tests = Object.entries(failures).map(([kind, failing]) =>
    t.test(`stays when the site ${kind}, and is replaced when the site is well again`, async () => {
      const name = `good-then-${nameOf(kind)}`;
      const headers = { "X-ISR-Revalidate": "1" };
      const path = await isr.lab(name, { headers });
      const good = await isr.fetch(path);
      await isr.lab(name, { ...failing, headers });

      const answers = [await isr.untilStatus(path, "STALE"), ...(await traffic(path, 3))];
      const bad = answers.filter((answer) => answer.isr !== "STALE" || !answer.body.equals(good.body) || answer.status !== 200);
      assert.deepEqual(bad.map(({ status, isr, text }) => [status, isr, text.slice(0, 80)]), []);
      const attempts = (await isr.renders(name)) - 1;
      assert.ok(attempts >= 1 && attempts <= 3, `${attempts} attempts in 3 s of traffic`);

      await isr.lab(name, { headers: { "X-ISR-Revalidate": "60" } });
      const renewed = await isr.untilStatus(path, "HIT");
      assert.equal(renewed.render, (await isr.renders(name)));
    }));
  await Promise.all(tests);
});

test("a page that was never good", { concurrency: true }, async (t) => {
  const tests = Object.entries(failures).map(([kind, failing]) =>
    t.test(`is asked of the site with pauses while it ${kind}`, async () => {
      const name = `never-good-${nameOf(kind)}`;
      const path = await isr.lab(name, failing);
      const [first, ...answers] = await traffic(path, 3);

      // The one that found it out gets what the site said, as far as it said anything.
      const said = failing.status !== undefined;
      const begins = failing.chunks !== undefined;
      assert.equal(first.isr, begins ? "MISS" : "SKIP");
      if (said) assert.deepEqual([first.status, first.text, first.cacheStatus.detail], [failing.status, failing.body, "site-error"]);
      if (begins) assert.equal(first.text, "broken off");

      const paused = answers.filter((answer) => answer.cacheStatus.detail === "backoff");
      assert.ok(paused.length >= answers.length - 3, `${paused.length} of ${answers.length} within a pause`);
      for (const { status, isr, headers, text } of paused) {
        assert.deepEqual([isr, headers.get("cache-control")], ["SKIP", "no-store"]);
        if (said) {
          assert.deepEqual([status, text], [failing.status, failing.body], "what the site said last");
        } else {
          assert.deepEqual([status, JSON.parse(text).error.code], [503, "site_unavailable"]);
          assert.match(headers.get("retry-after"), /^[1-6]$/);
        }
      }
      const attempts = await isr.renders(name);
      assert.ok(attempts >= 2 && attempts <= 3, `${attempts} attempts in 3 s of traffic`);
      assert.deepEqual(await isr.stored(path), [], "a failure is never stored");

      await isr.lab(name, { body: "all is well" });
      const well = await until("the page", async () => {
        const answer = await ask(path);
        return answer.status === 200 && answer;
      });
      assert.deepEqual([well.isr, well.text, (await isr.fetch(path)).isr], ["MISS", "all is well", "HIT"]);
    }));
  await Promise.all(tests);
});

test("an invalidated page stands in for a site that fails", async () => {
  const path = await isr.lab("stand-in", {});
  const good = await isr.fetch(path);
  await isr.lab("stand-in", { status: 503, body: "down" });
  assert.equal((await isr.revalidate({ path })).status, 200);
  const details = [];
  for (let n = 0; n < 3; n += 1) {
    const answer = await isr.fetch(path);
    assert.deepEqual([answer.status, answer.isr, answer.body], [200, "STALE", good.body]);
    details.push(answer.cacheStatus.detail);
  }
  assert.deepEqual(details, ["site-error", "backoff", "backoff"]);

  await isr.lab("stand-in", {});
  assert.deepEqual((await isr.untilStatus(path, "MISS")).status, 200);
});

test("visitors who wait for a render that fails all get the site's answer, from one render", async () => {
  const path = await isr.lab("failing-crowd", { delay_ms: 500, status: 500, body: "an error page" });
  const answers = await Promise.all(Array.from({ length: 20 }, () => isr.fetch(path)));
  assert.deepEqual(new Set(answers.map(({ status, text }) => `${status} ${text}`)), new Set(["500 an error page"]));
  assert.equal(await isr.renders("failing-crowd"), 1);
});

test("a failing page leaves the others of its route alone", async () => {
  const failing = await isr.lab("failing-neighbour", { status: 500 });
  await isr.fetch(failing);
  assert.equal((await isr.fetch("/lab/healthy-neighbour")).isr, "MISS");
});

/** Asks for the pages of one route that fail, over and over, while visitors ask for healthy ones. */
test("twenty requests a second for pages that answer 429 cost no visitor of a healthy page an error", async () => {
  const failing = await Promise.all(Array.from({ length: 20 }, (_, n) => isr.lab(`429-${n}`, { status: 429, body: "too many" })));
  const healthy = [];
  for (let round = 0; round < 10; round += 1) {
    await Promise.all(failing.map((path) => isr.fetch(path)));
    healthy.push(await isr.fetch(`/lab/well-beside-429-${round}`));
    await sleep(500);
  }
  assert.deepEqual(healthy.filter(({ status }) => status !== 200).map(({ status, cacheStatus }) => [status, cacheStatus]), []);
});

test("while the site can't be reached, new pages pass within a budget, and it recovers with the site", async () => {
  const down = await start({ isr: config({ render_timeout: 1 }) });
  const name = (n) => `down-${n}`;
  const pages = await Promise.all(Array.from({ length: 200 }, (_, n) => down.lab(name(n), n < 6 ? { fail: "throw" } : {})));
  for (const path of pages.slice(0, 6)) await down.fetch(path).catch(() => undefined);
  const answers = await Promise.all(pages.slice(6).map((path) => down.fetch(path)));
  const count = (wanted) => answers.filter(({ status, isr: outcome, cacheStatus }) => `${status} ${outcome} ${cacheStatus.detail}` === wanted).length;
  // A probe that succeeds closes the breaker: what follows is rendered.
  const passed = count("200 SKIP breaker");
  const refused = count("503 SKIP breaker");
  assert.ok(passed >= 1 && refused <= 194 - passed, `${passed} passed, ${refused} refused`);
  for (const { headers } of answers.filter(({ status }) => status === 503)) assert.match(headers.get("retry-after"), /^\d+$/);
  const well = await until("a page", async () => {
    const answer = await down.fetch("/lab/when-it-is-well");
    return answer.isr === "MISS" && answer;
  });
  assert.equal(well.status, 200);
});
