/** The in-isolate tier: pages that are requested often are served from the memory of the isolate, judged like those of L1. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { bypassToken, colo, config, start, until } from "./harness.mjs";

const forEver = { "X-ISR-Revalidate": "false" };
const routes = {
  "/lab/[name]": { revalidate: false, browser_max_age: 0, bypass_cookies: ["member"] },
  "/logo.png": { revalidate: false },
  "/blog/[slug]": { revalidate: false, vary: { language: ["en", "de"], cookie: { theme: ["dark"] }, country: ["DE"] } },
  "/api/*": { http: "standard" },
};

/** Invalidations reach this isolate only through its own calls: the next poll is minutes away. */
let isr;
before(async () => (isr = await start({ isr: config({ freshness_bound: 300 }, routes), troubled: true })));

/** A request that is no plain one goes the long way through Rust; see src/edge/entry/hit.rs. */
const longWay = { cookie: "__isr_bypass=not-the-token" };

const isRemembered = ({ isr, cacheStatus }) => isr === "HIT" && cacheStatus.detail === "memory";

/** Requests a page until it comes from memory, and returns that answer. */
function remembered(path, options, runtime = isr) {
  return until(`${path} from memory`, async () => {
    const answer = await runtime.fetch(path, options);
    return isRemembered(answer) && answer;
  });
}

/** Has a page rendered and brought into memory. */
async function inMemory(name, behaviour = {}, runtime = isr) {
  const path = await runtime.lab(name, { ...behaviour, headers: { ...forEver, ...behaviour.headers } });
  return { path, page: await remembered(path, {}, runtime) };
}

/** The headers that are about the page; `Age`, and `ttl` in `Cache-Status`, may differ by a second. */
function comparable({ headers }) {
  const own = ["connection", "keep-alive", "transfer-encoding", "age", "cache-status", "content-length"];
  return Object.fromEntries([...headers].filter(([name]) => !own.includes(name)));
}

test("the second HIT from L1 admits a page, and everything but the tier stays the same", async () => {
  const path = await isr.lab("admitted", { headers: { ...forEver, "Cache-Tag": "admitted", "X-Own": "ä" } });
  const answers = [];
  for (let time = 0; time < 6; time += 1) {
    answers.push(await isr.fetch(path));
    // The page is put into L1, and into memory, behind the response.
    await sleep(100);
  }
  const told = answers.map((answer) => [answer.isr, answer.cacheStatus.detail]);
  const [l1, memory] = [["HIT", undefined], ["HIT", "memory"]];
  assert.deepEqual(told, [["MISS", undefined], l1, l1, memory, memory, memory]);
  const [, fromL1, , fromMemory] = answers;
  assert.deepEqual(comparable(fromMemory), comparable(fromL1));
  assert.deepEqual(fromMemory.body, fromL1.body);
  assert.equal(fromMemory.headers.get("x-isr-until"), null, "a header of L1 alone");
  assert.equal(await isr.renders("admitted"), 1);
});

test("a HIT from memory does not wait for the Cache API", async () => {
  const { path } = await inMemory("no-cache-api");
  await isr.trouble({ l1: "hangs" });
  const answers = [await isr.fetch(path), await isr.fetch(path, { headers: longWay })];
  await isr.trouble({});
  for (const answer of answers) {
    assert.ok(isRemembered(answer), answer.headers.get("cache-status"));
    assert.ok(answer.millis < 800, `${answer.millis} ms; L1 is given up after a second`);
  }
});

test("conditional requests, HEAD and ranges are answered from memory, on both paths", async () => {
  const { path, page } = await inMemory("forms", { body: "0123456789" });
  const etag = page.headers.get("etag");
  for (const [what, { method, headers }, status, body] of [
    ["GET", {}, 200, "0123456789"],
    ["HEAD", { method: "HEAD" }, 200, ""],
    ["its ETag", { headers: { "if-none-match": etag } }, 304, ""],
    ["one of several", { headers: { "if-none-match": `"x", W/${etag}` } }, 304, ""],
    ["another ETag", { headers: { "if-none-match": '"x"' } }, 200, "0123456789"],
    ["a range", { headers: { range: "bytes=2-4" } }, 206, "234"],
    ["the end", { headers: { range: "bytes=-3" } }, 206, "789"],
    ["behind the end", { headers: { range: "bytes=10-" } }, 416, ""],
    ["another page's range", { headers: { range: "bytes=2-4", "if-range": '"x"' } }, 200, "0123456789"],
  ]) {
    for (const more of [{}, longWay]) {
      const answer = await isr.fetch(path, { method, headers: { ...headers, ...more } });
      assert.deepEqual([answer.status, answer.text, answer.cacheStatus.detail], [status, body, "memory"], what);
    }
  }
  const head = await isr.fetch(path, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "10");
});

test("bodies are bytes, and stay as they are however often they are sent", async () => {
  const origin = await isr.site("/logo.png");
  for (let time = 0; time < 3; time += 1) {
    const { body, headers } = await remembered("/logo.png");
    assert.deepEqual(body, origin.body);
    assert.equal(headers.get("content-type"), "image/png");
  }
  const { path } = await inMemory("empty", { body: "", headers: { "Content-Type": "text/plain" } });
  assert.equal((await remembered(path)).body.length, 0);
});

test("an invalidation that the isolate knows takes a page from memory at once, by each target and mode", async () => {
  for (const mode of ["stale", "expire", "purge"]) {
    for (const [name, target] of Object.entries({ tag: { tag: `of-${mode}` }, path: { path: `/lab/path-${mode}` }, all: { everything: true } })) {
      const { path } = await inMemory(`${name}-${mode}`, { headers: { "Cache-Tag": `of-${mode}` } });
      assert.equal((await isr.revalidate({ ...target, mode })).status, 200);
      const answer = await isr.fetch(path);
      assert.deepEqual([answer.isr, answer.render], mode === "stale" ? ["STALE", 1] : ["MISS", 2], `${name} ${mode}`);
      const again = await remembered(path);
      assert.equal(again.render, 2, "the new one");
    }
  }
});

test("drafts, members and requests with a body pass, and a draft does not become a page", async () => {
  const { path } = await inMemory("drafts");
  const draft = await isr.fetch(path, { headers: { "x-isr-bypass": bypassToken } });
  assert.deepEqual([draft.isr, draft.render], ["BYPASS", 2]);
  const member = await isr.fetch(path, { headers: { cookie: "a=b; member=1" } });
  assert.deepEqual([member.isr, member.cacheStatus.detail], ["SKIP", "bypass-cookie"]);
  assert.equal((await isr.fetch(path, { method: "POST" })).isr, null);
  const page = await isr.fetch(path);
  assert.deepEqual([isRemembered(page), page.render], [true, 1]);
});

test("a page for clients without a header is not for those with it", async () => {
  const { path } = await inMemory("nominated", { headers: { Vary: "X-Group" } });
  const other = await isr.fetch(path, { headers: { "x-group": "a" } });
  assert.deepEqual([other.isr, other.cacheStatus.detail], ["SKIP", "vary"]);
  assert.ok(isRemembered(await isr.fetch(path)));
});

test("with the standard rules, a request may refuse what is in memory", async () => {
  await remembered("/api/posts.json");
  const refused = await isr.fetch("/api/posts.json", { headers: { "cache-control": "no-cache" } });
  assert.equal(refused.isr, "SKIP");
  assert.ok(isRemembered(await isr.fetch("/api/posts.json", { headers: { "cache-control": "max-age=100" } })));
});

test("each variant is a page of its own in memory", async () => {
  const variants = [
    {},
    { "accept-language": "de-AT,de;q=0.9" },
    { cookie: "a=b; theme=dark" },
    { "accept-language": "de", cookie: "theme=dark; a=b" },
  ];
  const tags = [];
  for (const headers of variants) {
    const page = await remembered("/blog/a-new-lamp", { headers });
    const longWays = { ...headers, cookie: [headers.cookie, longWay.cookie].filter(Boolean).join("; ") };
    const other = await isr.fetch("/blog/a-new-lamp", { headers: longWays });
    assert.ok(isRemembered(other), other.headers.get("cache-status"));
    assert.deepEqual([other.render, other.headers.get("vary")], [page.render, page.headers.get("vary")]);
    tags.push(page.render);
  }
  assert.equal(new Set(tags).size, variants.length, `renders ${tags}`);
  // Other headers that mean the same, and other cookies, select the same variant.
  for (const [headers, at] of [[{ "accept-language": "fr" }, 0], [{ cookie: "session=1; theme=other" }, 0], [{ "accept-language": "de-CH" }, 1]]) {
    const page = await isr.fetch("/blog/a-new-lamp", { headers });
    assert.deepEqual([isRemembered(page), page.render], [true, tags[at]], JSON.stringify(headers));
  }
});

test("pages of two hosts are two pages in memory", async () => {
  const { path, page } = await inMemory("hosts");
  const other = await remembered(path, { visitedHost: "other.test" });
  assert.notEqual(other.render, page.render);
  assert.equal((await isr.fetch(path)).render, page.render);
});

test("a large page stays in L1", async () => {
  const small = await isr.lab("small", { bytes: 262_144, headers: forEver });
  const large = await isr.lab("large", { bytes: 262_145, headers: forEver });
  assert.equal((await remembered(small)).body.length, 262_144);
  await isr.fetch(large);
  for (let time = 0; time < 6; time += 1) {
    await sleep(50);
    const answer = await isr.fetch(large);
    assert.deepEqual([answer.isr, answer.cacheStatus.detail, answer.body.length], ["HIT", undefined, 262_145]);
  }
});

test("other settings: pages age in memory, leave it with L1, are evicted, and are not admitted at all", async () => {
  const runtime = await start({
    isr: config({ freshness_bound: 1, l1_ttl: 4, memory_bytes: 65_536, memory_page_bytes: 8192 }, routes),
    main: ["tests/e2e/bindings.mjs"],
  });
  const bind = async (settings) => {
    const ISR = config(settings, routes);
    assert.equal((await runtime.fetch("/bindings", { method: "PUT", body: JSON.stringify({ ISR }) })).status, 200);
  };
  // The page is fresh for two seconds.
  const aging = await runtime.lab("aging", { headers: { "X-ISR-Revalidate": "2" } });
  await remembered(aging, {}, runtime);
  const stale = await until("the end of its lifetime", async () => {
    const answer = await runtime.fetch(aging);
    return !isRemembered(answer) && answer;
  });
  assert.equal(stale.isr, "STALE");

  // L1 keeps a page for four seconds.
  const { path } = await inMemory("leaving", { body: "x" }, runtime);
  await sleep(4_100);
  const answer = await runtime.fetch(path);
  assert.ok(!isRemembered(answer), `${answer.isr} ${answer.headers.get("cache-status")}`);

  // Of twenty pages of 6 KB, no more than eight fit beside what they take besides.
  const paths = await Promise.all(Array.from({ length: 20 }, (_, n) => runtime.lab(`many-${n}`, { bytes: 6_000, headers: forEver })));
  for (const each of paths) await remembered(each, {}, runtime);
  const held = (await Promise.all(paths.map((each) => runtime.fetch(each)))).filter(isRemembered).length;
  assert.ok(held >= 1 && held <= 10, `${held} pages`);

  // What one set of settings has admitted is of no use to another.
  const last = paths.at(-1);
  await bind({ freshness_bound: 1 });
  assert.ok(!isRemembered(await runtime.fetch(last)), "the first request with other settings");
  await remembered(last, {}, runtime);
  for (const off of [{ memory_bytes: 0 }, { memory_page_bytes: 0 }]) {
    await bind(off);
    for (let time = 0; time < 5; time += 1) {
      const { isr: outcome, cacheStatus } = await runtime.fetch(last);
      assert.ok(outcome === "HIT" && cacheStatus.detail !== "memory", JSON.stringify(cacheStatus));
    }
  }
  await runtime.kill();
});

test("without a current feed nothing in memory is fresh, and an edge elsewhere learns of an invalidation within its bound", async () => {
  const settings = config({ freshness_bound: 2 }, routes);
  const runtime = await start({ isr: settings, troubled: true, workers: [colo("elsewhere", settings)] });
  const { path } = await inMemory("fed", { headers: { "Cache-Tag": "fed" } }, runtime);
  const elsewhere = () => runtime.ask("elsewhere", path);
  const isThere = async () => isRemembered(await elsewhere());
  await until("memory elsewhere", isThere);

  assert.equal((await runtime.revalidate({ tag: "fed" })).status, 200);
  const acknowledged = performance.now();
  let last = 0;
  await until("the new page elsewhere", async () => {
    const sent = performance.now();
    const { render } = await elsewhere();
    if (render === 1) last = sent - acknowledged;
    return render > 1;
  });
  assert.ok(last < 2_000, `the old page was served ${last} ms after the acknowledgement`);

  await remembered(path, {}, runtime);
  await runtime.trouble({ tagIndex: "throws" });
  const doubted = await until("the end of the feed's time", async () => {
    const answer = await runtime.fetch(path);
    return answer.isr !== "HIT" && answer;
  });
  assert.deepEqual([doubted.isr, doubted.cacheStatus.detail], ["STALE", "feed-unavailable"]);
  await runtime.trouble({});
  await until("the feed", async () => (await runtime.fetch(path)).isr === "HIT");
  await remembered(path, {}, runtime);
  await runtime.kill();
});

/** What an isolate holds besides the setting, in MiB: URLs and plans of the entry module, tables, bodies that are collected. */
const CONSTANT = 24;

/** The number of distinct pages: with `PAGES=100000` in the environment, more than a test run has time for. */
const PAGES = Number(process.env.PAGES ?? 5_000);

test("after many distinct pages, the memory has grown by the setting and a constant at most", { timeout: 3_600_000 }, async () => {
  const [megabytes, step] = [16, 1_000];
  const runtime = await start({
    isr: config({ freshness_bound: 300, memory_bytes: megabytes * 1024 * 1024 }, { "/lab/[name]": { revalidate: false } }),
    inspect: true,
    main: ["tests/e2e/many-pages.mjs", "tests/wasm-memory.mjs"],
  });
  const path = await runtime.lab("page-000000", { bytes: 10_000, headers: forEver });
  await runtime.fetch(path);
  await until("L1", async () => (await runtime.fetch(path)).isr === "HIT");
  const visit = async (from, to) => (await runtime.fetch(`/many?from=${from}&to=${to}`, { timeout: 300_000 })).json;
  await visit(0, 100);
  const before = await runtime.memory();
  let [hits, thirds, remembered] = [0, 0, 0];
  for (let from = 100; from < PAGES; from += step) {
    const seen = await visit(from, Math.min(from + step, PAGES));
    [hits, thirds, remembered] = [hits + seen.hits, thirds + seen.thirds, remembered + seen.remembered];
  }
  const grown = (await runtime.memory()) - before;
  assert.ok(hits > 1.9 * PAGES, `${hits} HITs`);
  assert.ok(remembered > 0.5 * thirds, `${remembered} of ${thirds} from memory`);
  assert.ok(grown > megabytes / 4 && grown <= megabytes + CONSTANT, `${PAGES} pages: grown by ${grown} MiB`);
  console.log(`${PAGES} pages: grown by ${grown} MiB`);
  await runtime.kill();
});
