/** An origin that is not a Worker: `origin` is its URL. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";

import { config, newFolder, start, until } from "./harness.mjs";

const page = `<!doctype html><p>${"A page that is worth its compression. ".repeat(200)}</p>`;
/** UTF-8, byte by byte. */
const odd = Buffer.from("grün €").toString("latin1");
const seen = [];
let isr;

const site = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk)).on("end", () => {
    const { method, url, headers } = request;
    seen.push({ method, url, headers, body });
    if (url.startsWith("/lab/moved")) return response.writeHead(302, { location: "/elsewhere" }).end("moved");
    if (url.startsWith("/raw")) {
      const forged = { "x-isr-status": "HIT", "x-isr-revalidate": "60", "set-cookie": "a=b", "x-own": "kept" };
      return response.writeHead(200, forged).end("raw");
    }
    if (url.startsWith("/lab/odd")) response.setHeader("x-odd", odd);
    if (url.startsWith("/lab/cut")) return response.writeHead(200, { "content-length": "1000" }).end("cut", () => response.destroy());
    const coded = url.match(/^\/lab\/coded-(\d+)/);
    if (coded) return response.writeHead(Number(coded[1]), { "content-encoding": "own" }).end("as it was coded");
    const none = url.match(/^\/(?:lab\/)?no-status-(\d+)/);
    if (none) return response.writeHead(Number(none[1])).end("no status of HTTP");
    if (url.startsWith("/lab/aged")) return response.writeHead(200, { age: "100" }).end("aged");
    const many = Array.from({ length: 101 }, (_, n) => [`x-${n}`, "a"]);
    if (url.startsWith("/lab/many")) return response.writeHead(200, Object.fromEntries(many)).end("many");
    if (method === "POST") return response.writeHead(201).end(body);
    const gzips = url.startsWith("/lab/gzip") && /gzip/.test(headers["accept-encoding"]);
    response.writeHead(200, { "content-type": "text/html", ...(gzips && { "content-encoding": "gzip", vary: "Accept-Encoding" }) });
    response.end(gzips ? gzipSync(page) : page);
  });
});

const vary = { language: ["en", "de"], device: ["desktop", "mobile"], cookie: { theme: ["dark"] }, header: { "x-ab": ["a", "b"] } };
const settings = () => config({ origin: `http://127.0.0.1:${site.address().port}` }, { "/lab/varied": { vary } });

before(async () => {
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  isr = await start({ origin: null, isr: settings() });
});
after(() => site.close());

const arrived = (url) => seen.filter((request) => request.url === url);

test("its pages are stored", async () => {
  const [miss, hit] = [await isr.fetch("/lab/plain?not=allowed"), await isr.fetch("/lab/plain")];
  assert.deepEqual([miss.isr, hit.isr, miss.text, hit.text], ["MISS", "HIT", page, page]);
  assert.equal(arrived("/lab/plain").length, 1);
});

test("nothing of a visitor reaches a render", async () => {
  const headers = { cookie: "a=secret", authorization: "Bearer secret", "x-own": "secret", "user-agent": "secret" };
  await isr.fetch("/lab/stranger", { headers });
  assert.doesNotMatch(JSON.stringify(arrived("/lab/stranger")), /secret/);
});

test("its compression is undone for the store, and visitors get the same text from everywhere", async () => {
  const folder = await newFolder();
  const one = await start({ origin: null, isr: settings(), folder });
  const answers = [await one.fetch("/lab/gzip"), await one.fetch("/lab/gzip")];
  await until("L2", async () => (await one.stored("/lab/gzip")).length);
  await one.kill();
  const other = await start({ origin: null, isr: { ...settings(), cache_name: "another-colo" }, folder });
  answers.push(await other.fetch("/lab/gzip"), await other.fetch("/lab/gzip", { headers: { "accept-encoding": "gzip" } }));
  assert.deepEqual(answers.map((answer) => answer.isr), ["MISS", "HIT", "HIT", "HIT"]);
  for (const { text } of answers) assert.ok(text === page, text.slice(0, 100));
  assert.equal(arrived("/lab/gzip").length, 1);
});

test("of a visitor, a render carries the values that are in the key, and nothing else", async () => {
  const theirs = { cookie: "session=secret; theme=dark", "accept-language": "de-CH,de;q=0.9", authorization: "Basic secret", "x-ab": "b", "x-other": "secret" };
  assert.equal((await isr.fetch("/lab/varied", { headers: { ...theirs, "user-agent": "Mozilla/5.0 (iPhone) Mobile" } })).isr, "MISS");
  const [{ headers }] = arrived("/lab/varied");
  const sent = Object.fromEntries(["cookie", "accept-language", "x-ab", "cf-device-type", "authorization", "x-other"].map((name) => [name, headers[name]]));
  const expected = { cookie: "theme=dark", "accept-language": "de", "x-ab": "b", "cf-device-type": "mobile", authorization: undefined, "x-other": undefined };
  assert.deepEqual(sent, expected);
  assert.ok(!Object.values(headers).some((value) => /secret|iPhone/.test(value)), JSON.stringify(headers));
});

test("redirects reach the visitor; they are not followed", async () => {
  for (const path of ["/lab/moved", "/lab/moved", "/lab/moved?x"]) {
    const { status, isr: outcome, headers } = await isr.fetch(path);
    assert.deepEqual([status, outcome, headers.get("location")], [302, "SKIP", "/elsewhere"]);
  }
});

test("what is not the cache's passes with method, query, headers and body", async () => {
  const own = { "x-own": "kept", cookie: "a=b", "x-http-method-override": "PUT", "x-forwarded-for": "192.0.2.1" };
  const internal = { "x-isr-meta": "forged", "x-isr-bypass": "wrong", "x-middleware-subrequest": "middleware", "x-now-route-matches": "1" };
  const headers = { ...own, ...internal };
  const answer = await isr.fetch("/form?a=1&b=%20", { method: "POST", headers, body: "some text" });
  assert.deepEqual([answer.status, answer.text, answer.isr], [201, "some text", null]);
  const [request] = arrived("/form?a=1&b=%20");
  for (const [name, value] of Object.entries(own)) assert.equal(request.headers[name], value, name);
  for (const name of Object.keys(internal)) assert.equal(request.headers[name], undefined, name);
});

test("a visitor gets the site's own answer, but for headers of this cache", async () => {
  const { status, text, headers } = await isr.fetch("/raw");
  assert.deepEqual([status, text, headers.get("x-own"), headers.get("set-cookie")], [200, "raw", "kept", "a=b"]);
  assert.deepEqual([...headers.keys()].filter((name) => name.startsWith("x-isr-")), []);
});

test("headers that are not ASCII come out as they went in", async () => {
  for (const status of ["MISS", "HIT"]) {
    const answer = await isr.fetch("/lab/odd");
    assert.deepEqual([answer.isr, answer.headers.get("x-odd")], [status, odd]);
  }
});

test("a body that is shorter than announced is not stored", async () => {
  await isr.fetch("/lab/cut").catch(() => {});
  assert.deepEqual(await isr.stored("/lab/cut"), []);
});

test("a body whose coding is not undone goes to no visitor without its label", async () => {
  const answer = await isr.fetch("/lab/coded-200");
  assert.deepEqual([answer.isr, answer.cacheStatus.detail, answer.text], ["SKIP", "content-encoding", "as it was coded"]);
  assert.equal(answer.headers.get("content-encoding"), "own");
  assert.deepEqual(await isr.stored("/lab/coded-200"), []);
  const failed = await isr.fetch("/lab/coded-500");
  assert.deepEqual([failed.isr, failed.status, failed.json.error.code], ["SKIP", 503, "site_unavailable"]);
});

test("an answer with more headers than are kept is handed on with all of them", async () => {
  const { isr: outcome, cacheStatus, headers } = await isr.fetch("/lab/many");
  assert.deepEqual([outcome, cacheStatus.detail, headers.get("x-0"), headers.get("x-100")], ["SKIP", "too-large", "a", "a"]);
});

test("a number over 599 is no status: 502 for what passes, 503 for what would be stored", async () => {
  for (const status of [600, 999]) {
    const passed = await isr.fetch(`/no-status-${status}`);
    assert.deepEqual([passed.status, passed.json.error.code], [502, "site_invalid"]);
    const rendered = await isr.fetch(`/lab/no-status-${status}`);
    assert.deepEqual([rendered.isr, rendered.status, rendered.json.error.code], ["SKIP", 503, "site_unavailable"]);
  }
});

test("a page that the site has from a cache is as old as the site says, and grows older", async () => {
  const { headers } = await isr.fetch("/lab/aged");
  const age = Number(headers.get("age"));
  assert.ok(age >= 100 && age < 110, `${age}`);
  assert.ok(Date.now() - Date.parse(headers.get("date")) >= 100_000, headers.get("date"));
  const older = await until("a greater age", async () => {
    const answer = await isr.fetch("/lab/aged");
    return Number(answer.headers.get("age")) > age && answer;
  });
  assert.deepEqual([older.isr, older.headers.get("date")], ["HIT", headers.get("date")]);
});

test("a URL that leads back to the gateway is found out", async () => {
  const port = 20_000 + (process.pid % 10_000);
  const loop = await start({ origin: null, port, isr: config({ origin: `http://127.0.0.1:${port}` }) });
  const answer = await loop.fetch("/editor");
  assert.deepEqual([answer.status, answer.json.error.code], [508, "loop"]);
});

test("a site that is down: 502 for what passes, 503 for what would be stored", async () => {
  const down = await start({ origin: null, isr: config({ origin: "http://127.0.0.1:9" }) });
  const passed = await down.fetch("/editor");
  assert.deepEqual([passed.status, passed.json.error.code], [502, "site_unreachable"]);
  const rendered = await down.fetch("/lab/down");
  assert.deepEqual([rendered.status, rendered.json.error.code], [503, "site_unavailable"]);
  assert.doesNotMatch(passed.text + rendered.text, /127\.0\.0\.1/, "where the site lies is not told");
});
