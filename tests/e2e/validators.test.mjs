/** Validators, conditional and partial requests, and the `Cache-Control` for clients: docs/http.md. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { numbered } from "../../examples/site/src/lab.js";
import { bypassToken, colo, config, start, until } from "./harness.mjs";

const settings = config({}, { "/lab/kept": { browser_max_age: 30 } });

let isr;
before(async () => (isr = await start({ isr: settings, workers: [colo("far-away", settings)] })));

const forEver = { "X-ISR-Revalidate": "false" };

/** A request that is no plain one goes the long way through Rust; see src/edge/entry/hit.rs. */
const longWay = { cookie: "__isr_bypass=not-the-token" };

/** Has a page rendered and brought into L1, and returns that copy. */
async function inL1(name, behaviour) {
  const path = await isr.lab(name, behaviour);
  await isr.fetch(path);
  const page = await until("L1", async () => {
    const answer = await isr.fetch(path);
    return answer.isr === "HIT" && answer.cacheStatus.detail === undefined && answer;
  });
  return { path, page, etag: page.headers.get("etag") };
}

/** The headers that are about the message; `Age`, and `ttl` in `Cache-Status`, may differ by a second. */
function comparable(headers) {
  const own = ["connection", "keep-alive", "transfer-encoding", "age", "cache-status"];
  return Object.fromEntries([...headers].filter(([name]) => !own.includes(name)));
}

test("a page without an ETag gets a strong one of its bytes and their type, the same in every copy", async () => {
  const { path, etag } = await inL1("own-tag", { body: "one", headers: forEver });
  assert.match(etag, /^"[\w-]{22}"$/);
  assert.equal((await isr.ask("far-away", path)).headers.get("etag"), etag, "of the coordinator, or from L2");

  const again = async (behaviour) => {
    await isr.lab("own-tag", { ...behaviour, headers: { ...forEver, ...behaviour.headers } });
    assert.equal((await isr.revalidate({ path })).status, 200);
    assert.equal((await isr.fetch(path)).isr, "MISS");
    return (await until("a tag", async () => (await isr.fetch(path)).headers.get("etag") && isr.fetch(path))).headers.get("etag");
  };
  assert.equal(await again({ body: "one" }), etag, "another render of the same bytes");
  assert.notEqual(await again({ body: "two" }), etag);
  assert.notEqual(await again({ body: "one", headers: { "Content-Type": "text/plain" } }), etag);
  assert.equal(await again({ body: "one" }), etag);
});

for (const [way, headers] of [["short", {}], ["long", longWay]]) {
  test(`a visitor who has the page is told so by the ${way} way, with the headers of the 200 that do not describe its body`, async () => {
    const { path, page, etag } = await inL1(`told-${way}`, {
      body: "a page", headers: { ...forEver, Link: "</a>", "Content-Language": "en", "Content-Location": "/here", "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT" },
    });
    assert.equal(page.text, "a page");
    for (const ifNoneMatch of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const answer = await isr.fetch(path, { headers: { ...headers, "if-none-match": ifNoneMatch } });
      assert.deepEqual([answer.status, answer.isr, answer.body.length], [304, "HIT", 0], ifNoneMatch);
      // RFC 9110 §15.4.5: anything else would replace what the visitor has.
      const kept = ["cache-control", "content-location", "date", "etag", "x-isr-cache-date", "x-isr-status"];
      const expected = Object.fromEntries(Object.entries(comparable(page.headers)).filter(([name]) => kept.includes(name)));
      assert.deepEqual(comparable(answer.headers), expected, ifNoneMatch);
      assert.ok(answer.cacheStatus.hit && Number(answer.headers.get("age")) >= 0);
    }
    const since = { "if-modified-since": "Sun, 06 Nov 1994 08:49:37 GMT" };
    for (const [fields, status] of [
      [{ "if-none-match": '"other"' }, 200],
      [{ "if-none-match": "malformed" }, 200],
      [{ "if-none-match": "" }, 200],
      [{ "if-none-match": '"other"', ...since }, 200],
      [since, 304],
      [{ "if-modified-since": "Sunday, 06-Nov-94 08:49:38 GMT" }, 304],
      [{ "if-modified-since": "Sun Nov  6 08:49:36 1994" }, 200],
      [{ "if-modified-since": "yesterday" }, 200],
      [{ "if-match": '"other"' }, 200],
      [{ "if-unmodified-since": "Sun, 06 Nov 1994 08:49:36 GMT" }, 200],
    ]) {
      const answer = await isr.fetch(path, { headers: { ...headers, ...fields } });
      assert.deepEqual([answer.status, answer.isr, answer.text], [status, "HIT", status === 200 ? "a page" : ""], JSON.stringify(fields));
    }
  });
}

test("without Last-Modified, If-Modified-Since is held against Date, which is when the page came", async () => {
  const { path, page } = await inL1("dated", { body: "a page", headers: forEver });
  const date = Date.parse(page.headers.get("date"));
  assert.ok(Math.abs(date - Date.parse(page.headers.get("x-rendered-at"))) <= 1000);
  assert.equal(page.headers.get("date"), page.headers.get("x-isr-cache-date"));
  const since = async (time) => (await isr.fetch(path, { headers: { "if-modified-since": new Date(time).toUTCString() } })).status;
  assert.deepEqual([await since(date), await since(date - 1000)], [304, 200]);
});

test("a copy from L2 is compared as well, and goes into L1 whole", async () => {
  const { path, page, etag } = await inL1("from-l2", { body: "x".repeat(5000), headers: forEver });
  await until("L2", async () => (await isr.stored(path)).length);
  const answer = await isr.ask("far-away", path, { headers: { "if-none-match": etag } });
  assert.deepEqual([answer.status, answer.isr, answer.cacheStatus.detail, answer.body.length], [304, "HIT", "l2", 0]);
  const later = await until("the far L1", async () => {
    const copy = await isr.ask("far-away", path);
    return copy.cacheStatus.detail === undefined && copy;
  });
  assert.deepEqual([later.status, later.headers.get("etag")], [200, etag]);
  assert.ok(later.body.equals(page.body));
});

test("a stale copy is what the visitor would get: he may be told that he has it", async () => {
  const { path, etag } = await inL1("stale", { body: "always the same", headers: { "X-ISR-Revalidate": "2" } });
  const ask = () => isr.fetch(path, { headers: { "if-none-match": etag } });
  await until("STALE", async () => {
    const answer = await ask();
    assert.deepEqual([answer.status, answer.body.length], [304, 0]);
    return answer.isr === "STALE";
  });
  await until("the next render", async () => (await isr.renders("stale")) > 1);
  const renewed = await until("HIT", async () => {
    const answer = await ask();
    return answer.isr === "HIT" && answer;
  });
  assert.equal(renewed.status, 304, "the new page has the same bytes");
});

test("a page that is rendered for this visitor is compared by the site's own ETag, and stored whole", async () => {
  const path = await isr.lab("cold", { body: "cold page", headers: { ...forEver, ETag: '"v1"' } });
  const answer = await isr.fetch(path, { headers: { "if-none-match": '"v1"' } });
  assert.deepEqual([answer.status, answer.isr, answer.headers.get("etag"), answer.body.length], [304, "MISS", '"v1"', 0]);
  const page = await until("L1", async () => {
    const copy = await isr.fetch(path);
    return copy.cacheStatus.detail === undefined && copy.isr === "HIT" && copy;
  });
  assert.deepEqual([page.status, page.text, page.render], [200, "cold page", 1]);
});

test("HEAD has the headers of the GET, its conditions, and no ranges", async () => {
  const { path, page, etag } = await inL1("head", { body: "a page", headers: { ...forEver, "Content-Language": "en" } });
  const head = await isr.fetch(path, { method: "HEAD" });
  assert.deepEqual([head.status, head.isr, head.body.length], [200, "HIT", 0]);
  assert.deepEqual(comparable(head.headers), comparable(page.headers));
  assert.deepEqual([page.headers.get("accept-ranges"), page.headers.get("content-length")], ["bytes", "6"]);
  const conditional = await isr.fetch(path, { method: "HEAD", headers: { "if-none-match": etag } });
  assert.deepEqual([conditional.status, conditional.headers.get("etag")], [304, etag]);
  const ranged = await isr.fetch(path, { method: "HEAD", headers: { range: "bytes=0-1" } });
  assert.deepEqual([ranged.status, ranged.headers.get("content-length")], [200, "6"]);
});

test("one range is cut out of a copy from L1, from L2 and from the coordinator alike", async () => {
  const bytes = 300_007;
  const whole = Buffer.from(numbered(bytes));
  const { path, etag } = await inL1("ranges", { bytes, headers: { ...forEver, "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT" } });
  await until("L2", async () => (await isr.stored(path)).length);
  const check = (answer, first, last) => {
    const { headers } = answer;
    assert.deepEqual([answer.status, headers.get("content-range"), headers.get("content-length")], [206, `bytes ${first}-${last}/${bytes}`, String(last - first + 1)]);
    assert.ok(answer.body.equals(whole.subarray(first, last + 1)), `${first}-${last}`);
    assert.deepEqual([headers.get("etag"), headers.get("content-type"), answer.isr], [etag, "text/html; charset=utf-8", "HIT"]);
  };
  const far = await isr.ask("far-away", path, { headers: { range: "bytes=65530-65545" } });
  assert.equal(far.cacheStatus.detail, "l2");
  check(far, 65_530, 65_545);
  await until("the far L1", async () => {
    const copy = await isr.ask("far-away", path);
    assert.ok(copy.body.equals(whole), "what went into L1 is the whole page");
    return copy.cacheStatus.detail === undefined;
  });
  for (const [range, first, last] of [
    ["bytes=0-0", 0, 0], ["bytes=0-", 0, bytes - 1], ["bytes=-1", bytes - 1, bytes - 1], ["bytes=100000-250000", 100_000, 250_000],
    ["bytes=65535-65536", 65_535, 65_536], [`bytes=300000-${bytes * 2}`, 300_000, bytes - 1],
  ]) {
    check(await isr.fetch(path, { headers: { range } }), first, last);
  }
  check(await isr.fetch(path, { headers: { range: "bytes=5-9", "if-range": etag } }), 5, 9);
  check(await isr.fetch(path, { headers: { range: "bytes=5-9", "if-range": "Sun, 06 Nov 1994 08:49:37 GMT" } }), 5, 9);
  check(await isr.fetch(path, { headers: { range: "bytes=5-9", "if-none-match": '"other"' } }), 5, 9);
  for (const fields of [
    { range: "bytes=5-9,20-30" }, { range: "bytes=9-5" }, { range: "lines=1-2" }, { range: "bytes=5-9", "if-range": '"other"' },
    { range: "bytes=5-9", "if-range": `W/${etag}` }, { range: "bytes=5-9", "if-range": "Sun, 06 Nov 1994 08:49:36 GMT" }, { "if-range": etag },
  ]) {
    const answer = await isr.fetch(path, { headers: fields });
    assert.deepEqual([answer.status, answer.headers.get("content-range"), answer.body.equals(whole)], [200, null, true], JSON.stringify(fields));
  }
  const both = await isr.fetch(path, { headers: { range: "bytes=5-9", "if-none-match": etag } });
  assert.deepEqual([both.status, both.body.length, both.headers.get("content-range")], [304, 0, null]);
});

test("a range that is not there is refused, and the refusal is not kept", async () => {
  const { path } = await inL1("unsatisfiable", { body: "a page", headers: forEver });
  for (const range of ["bytes=6-", "bytes=-0"]) {
    const { status, headers, body } = await isr.fetch(path, { headers: { range } });
    const told = ["content-range", "cache-control", "etag", "content-type"].map((name) => headers.get(name));
    assert.deepEqual([status, body.length, ...told], [416, 0, "bytes */6", "no-store", null, null], range);
  }
});

test("of a page that streams still there are no ranges", async () => {
  const path = await isr.lab("streams", { bytes: 1000, chunks: 2, chunk_delay_ms: 300, headers: forEver });
  const answer = await isr.fetch(path, { headers: { range: "bytes=0-9" } });
  assert.deepEqual([answer.status, answer.isr, answer.body.length, answer.headers.get("accept-ranges")], [200, "MISS", 1000, null]);
});

test("a page with another status has no conditions, no ranges, and no ETag but the site's own", async () => {
  const { path, etag } = await inL1("not-found", { status: 404, body: "nothing here", headers: forEver });
  assert.equal(etag, null);
  const own = await inL1("not-found-tagged", { status: 404, body: "nothing here", headers: { ...forEver, ETag: '"gone"' } });
  assert.equal(own.etag, '"gone"');
  const since = { "if-modified-since": new Date(Date.now() + 60_000).toUTCString() };
  for (const [asked, headers] of [[path, { "if-none-match": "*" }], [own.path, { "if-none-match": '"gone"' }], [path, since], [path, { range: "bytes=0-1" }]]) {
    const answer = await isr.fetch(asked, { headers });
    assert.deepEqual([answer.status, answer.isr, answer.text, answer.headers.get("accept-ranges")], [404, "HIT", "nothing here", null], JSON.stringify(headers));
  }
});

test("the site's own ETag stays as it is, unless it is none", async () => {
  const weak = await inL1("weak", { body: "a page", headers: { ...forEver, ETag: 'W/"weak"' } });
  assert.equal(weak.etag, 'W/"weak"');
  const told = await isr.fetch(weak.path, { headers: { "if-none-match": '"weak"' } });
  const ranged = await isr.fetch(weak.path, { headers: { range: "bytes=0-1", "if-range": 'W/"weak"' } });
  assert.deepEqual([told.status, ranged.status, ranged.text], [304, 200, "a page"]);
  assert.equal((await inL1("strong", { body: "a page", headers: { ...forEver, ETag: '"strong"' } })).etag, '"strong"');
  assert.match((await inL1("malformed", { body: "a page", headers: { ...forEver, ETag: "no quotes" } })).etag, /^"[\w-]{22}"$/);
});

/** An origin that compresses its responses. Responses that are not stored show which conditions reached it. */
const otherSite = {
  name: "other-site",
  modules: true,
  compatibilityDate: "2025-09-01",
  script: `
    const gzipped = Uint8Array.from(atob("${gzipSync("a page that was compressed").toString("base64")}"), (c) => c.charCodeAt(0));
    export default {
      fetch(request) {
        const { pathname } = new URL(request.url);
        if (pathname === "/lab/gzip") {
          return new Response(gzipped, { encodeBody: "manual", headers: { "content-encoding": "gzip", etag: '"of-gzip"' } });
        }
        const fields = ["if-none-match", "if-modified-since", "range", "if-range"].map((name) => request.headers.get(name));
        if (fields[0] === '"draft"') return new Response(null, { status: 304, headers: { etag: '"draft"' } });
        return Response.json(fields, { headers: { "cache-control": "private" } });
      },
    }`,
};

test("a strong ETag of compressed bytes is weak for the bytes that are kept", async () => {
  const other = await start({ origin: "other-site", workers: [otherSite] });
  await other.fetch("/lab/gzip");
  const page = await other.untilStatus("/lab/gzip", "HIT");
  assert.deepEqual([page.text, page.headers.get("etag"), page.headers.get("content-encoding")], ["a page that was compressed", 'W/"of-gzip"', null]);
  assert.equal((await other.fetch("/lab/gzip", { headers: { "if-none-match": '"of-gzip"' } })).status, 304);
});

test("where the site answers, it gets the visitor's conditions, and its answer is handed on; a render has none", async () => {
  const other = await start({ origin: "other-site", workers: [otherSite] });
  const conditions = { "if-none-match": '"x"', "if-modified-since": "Sun, 06 Nov 1994 08:49:37 GMT", range: "bytes=0-1", "if-range": '"y"' };
  for (const [status, headers] of [["BYPASS", { "x-isr-bypass": bypassToken }], ["SKIP", {}]]) {
    const answer = await other.fetch("/lab/private", { headers: { ...conditions, ...headers } });
    assert.deepEqual([answer.status, answer.isr, answer.json], [200, status, Object.values(conditions)]);
    const told = await other.fetch("/lab/private", { headers: { ...headers, "if-none-match": '"draft"' } });
    assert.deepEqual([told.status, told.isr, told.headers.get("etag"), told.body.length], [304, status, '"draft"', 0]);
  }
});

test("with `browser_max_age`, browsers alone keep a fresh page, counted from when it was rendered", async () => {
  const { path } = await inL1("kept", { body: "a page", headers: { "X-ISR-Revalidate": "600" } });
  const { headers } = await until("some age", async () => {
    const answer = await isr.fetch(path);
    return answer.headers.get("age") !== "0" && answer;
  });
  const maxAge = 30 + Number(headers.get("age"));
  assert.equal(headers.get("cache-control"), `public, max-age=${maxAge}, s-maxage=0, must-revalidate`);
  assert.equal((await isr.revalidate({ path, mode: "stale" })).status, 200);
  const stale = await isr.fetch(path);
  assert.deepEqual([stale.isr, stale.headers.get("cache-control")], ["STALE", "public, max-age=0, must-revalidate"]);
});
