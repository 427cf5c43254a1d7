/**
 * What is known to have hurt users of caches like this one, tried against the running gateway. The site behind it is as gullible
 * as can be: it shows all that it is told, and believes every header that an attack has ever used. Each row about such
 * headers first proves that the site by itself falls for it. What is harmful has the word EVIL in it.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import net from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { config, host, newFolder, start, until } from "./harness.mjs";

/** Headers that have led a site astray, each with a value that an attacker would choose. */
const headerAttacks = {
  "CVE-2024-46982: a header that makes a page cacheable": { "x-now-route-matches": "1" },
  "CVE-2025-29927: a header between parts of a framework": {
    "x-middleware-subrequest": "src/middleware:src/middleware:src/middleware:src/middleware:src/middleware",
  },
  "CVE-2025-49005: another format of the same page, by RSC": { rsc: "1", accept: "text/x-component" },
  "CVE-2025-49005: by the headers of a prefetch": { "next-router-prefetch": "1", "next-router-state-tree": "EVIL" },
  "the host by X-Forwarded-Host": { "x-forwarded-host": "evil.test", "x-forwarded-proto": "http", forwarded: "host=evil.test" },
  "the path by X-Original-URL and X-Rewrite-URL": { "x-original-url": "/admin", "x-rewrite-url": "/admin" },
  "the path by X-Matched-Path": { "x-matched-path": "/admin" },
  "the method by X-HTTP-Method-Override": { "x-http-method-override": "POST", "x-http-method": "DELETE", "x-method-override": "PUT" },
  "a header that the site refuses (CPDoS)": { "x-meta-character": "EVIL", "x-oversized": "E".repeat(7_000) },
  "a header of 16 KB": { "x-oversized": "E".repeat(16_000) },
  "this cache's own headers": { "x-isr-status": "HIT", "x-isr-meta": "EVIL", "x-isr-revalidate": "31536000", "x-isr-verdict": "EVIL", "x-isr-bypass": "EVIL" },
  "a part of the page, stored as the whole": { range: "bytes=0-3" },
  "headers of a connection that name others": { connection: "close, cookie", "proxy-authorization": "EVIL" },
  "a visitor's cookie and credentials": { cookie: "session=EVIL; __isr_bypass=EVIL", authorization: "Bearer EVIL" },
  "conditions": { "if-none-match": "*", "if-modified-since": "Fri, 31 Dec 2099 23:59:59 GMT", "if-match": '"EVIL"' },
  "cloudflare/vinext#1619: a header that is in some caches' keys": { "x-prerender-revalidate": "EVIL", "next-url": "EVIL" },
  "a visitor who asks for nothing old": { "cache-control": "no-cache, no-store", pragma: "no-cache" },
};
/** A render has these as well. */
const innocent = ["accept", "connection"];
const believed = new Set(Object.values(headerAttacks).flatMap(Object.keys).filter((name) => !innocent.includes(name)));

/** How the site answers a path, where it is not the usual page. */
const answers = new Map();
const seen = [];
const site = createServer({ maxHeaderSize: 128 * 1024, keepAliveTimeout: 60_000 }, (request, response) => {
  const { method, url, headers } = request;
  seen.push({ method, url, headers });
  const path = url.split("?")[0];
  (answers.get(path) ?? usual)(request, response);
});

function usual({ method, url, headers }, response) {
  const fallen = [...believed].filter((name) => name in headers);
  const lines = fallen.length > 0 ? { "cache-control": "s-maxage=31536000", "set-cookie": `session=EVIL` } : {};
  response.writeHead(200, { "content-type": "text/html", ...lines });
  response.end(fallen.length > 0 ? `EVIL: ${method} ${url} ${JSON.stringify(headers)}` : `page ${url}`);
}

/** Writes an answer byte for byte. */
const raw = (text) => (_, response) => response.socket.end(Buffer.from(text, "latin1"));

const routes = {
  "/p/[...rest]": { revalidate: 600 },
  "/keep/[...rest]": { revalidate: 600, trailing_slash: "keep" },
  "/redirect/[...rest]": { revalidate: 600, trailing_slash: "redirect" },
  "/none/[name]": { revalidate: 600, query: "none" },
  "/list/[name]": { revalidate: 600, query: ["page"] },
  "/all/[...rest]": { revalidate: 600, query: "all", shards: 4 },
  "/rsc/[name]": { revalidate: 600, vary: { header: { RSC: ["1"] } } },
};
const settings = (changes) => config({ origin: `http://127.0.0.1:${site.address().port}`, ...changes }, routes);
let isr;
let folder;

before(async () => {
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  folder = await newFolder();
  isr = await start({ origin: null, isr: settings(), folder });
});
after(() => {
  site.closeAllConnections();
  site.close();
});

const arrived = (url) => seen.filter((request) => request.url === url);
const arrivedBelow = (path) => seen.filter((request) => request.url.startsWith(path));
const all = (count, ask) => Promise.all(Array.from({ length: count }, (_, n) => ask(n)));
const told = ({ status, headers, text }) => `${status}\n${[...headers].map(([name, value]) => `${name}: ${value}`).join("\n")}\n\n${text}`;

/** The visitors that come later, who have done nothing special: pages that they were shown, to be compared with L2 at the end. */
const shown = new Map();

/** A plain visitor is shown the page, and nothing of an attack. */
async function plainVisitorIsShown(path, text, outcomes = ["HIT"]) {
  const answer = await isr.fetch(path);
  assert.deepEqual([answer.status, answer.text, outcomes.includes(answer.isr) || answer.isr], [200, text, true], path);
  assert.doesNotMatch(told(answer), /evil|set-cookie/i);
  shown.set(path, text);
}

/** Sends bytes as they are, and returns what comes until the connection ends. */
function send(text, port = new URL(isr.address).port) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    const socket = net.connect(Number(port), "127.0.0.1", () => socket.write(Buffer.from(text, "latin1")));
    socket.setTimeout(5_000, () => socket.destroy());
    socket.on("data", (chunk) => chunks.push(chunk)).on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}

/** Asks for a target that no client would send. */
function get(target, { headers = {}, hosts = [host], from } = {}) {
  const lines = [...hosts.map((name) => `Host: ${name}`), ...Object.entries({ connection: "close", ...headers }).map((line) => line.join(": "))];
  return send(`GET ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, from);
}

for (const [n, [name, headers]] of Object.entries(headerAttacks).entries()) {
  test(`${name}: it changes no page that others get`, async () => {
    const path = `/p/header-${n}`;
    assert.match(await get("/control", { headers, from: site.address().port }), /EVIL/, "the site by itself falls for it");
    const attacks = [await isr.fetch(`${path}?__nextDataReq=1`, { headers })];
    await plainVisitorIsShown(path, `page ${path}`);
    attacks.push(await isr.fetch(path, { headers }));
    await plainVisitorIsShown(path, `page ${path}`);
    for (const attack of attacks) {
      assert.ok([200, 206, 304].includes(attack.status), attack.status);
      assert.doesNotMatch(told(attack), /evil/i);
    }
    assert.equal(arrived(path).length, 1, "one render");
    assert.equal(arrivedBelow(path + "?").length, 0);
    assert.deepEqual(Object.keys(arrived(path)[0].headers).filter((name) => believed.has(name)), []);
  });
}

/** Pages of the site that are not to be kept: the first answer, and what that request may be told. */
const harmfulAnswers = {
  "CVE-2025-49826: 204 without a body": [(_, response) => response.writeHead(204, { "cache-control": "s-maxage=31536000" }).end()],
  "CVE-2025-49826: 200 without a body": [(_, response) => response.writeHead(200, { "cache-control": "s-maxage=31536000" }).end()],
  "an error that says it may be kept (CPDoS)": [status(400), status(403), status(405), status(431), status(500), status(503)],
  "a part": [(_, response) => response.writeHead(206, { "content-range": "bytes 0-3/9", "cache-control": "s-maxage=600" }).end("EVIL")],
  "a part that says 200": [(_, response) => response.writeHead(200, { "content-range": "bytes 0-3/9" }).end("EVIL")],
  "a redirect to itself": [(request, response) => response.writeHead(301, { location: request.url }).end("EVIL")],
  "Vary by what no key has": [varying("Cookie"), varying("X-Forwarded-Host"), varying("RSC, Next-Router-State-Tree"), varying("*")],
  "private": [keeping("private"), keeping("no-store"), keeping("no-cache"), keeping('private="set-cookie", s-maxage=9')],
  "a malformed Content-Length": [raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\nEVIL")],
  "a body that breaks off": [raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nEVIL")],
  "two lengths (response splitting)": [raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nEVIL")],
  "a line that ends with a bare CR": [raw("HTTP/1.1 200 OK\r\nX-A: a\rSet-Cookie: session=EVIL\r\nConnection: close\r\n\r\nEVIL")],
  "a NUL in a value": [raw("HTTP/1.1 200 OK\r\nX-A: a\0EVIL\r\nConnection: close\r\n\r\nEVIL")],
  "a value with a control character": [raw("HTTP/1.1 200 OK\r\nX-A: a\x01EVIL\r\nConnection: close\r\n\r\nEVIL")],
  "a name with a blank": [raw("HTTP/1.1 200 OK\r\nSet-Cookie : session=EVIL\r\nConnection: close\r\n\r\nEVIL")],
  "a header of 17 KB": [(_, response) => response.writeHead(200, { "x-long": "E".repeat(17_000) }).end("EVIL")],
  "a tag that no purge would find": [(_, response) => response.writeHead(200, { "cache-tag": "EVIL\u00a0tag" }).end("EVIL")],
};

function status(code) {
  return (_, response) => response.writeHead(code, { "cache-control": "public, s-maxage=31536000" }).end("EVIL");
}

function varying(vary) {
  return (_, response) => response.writeHead(200, { vary, "cache-control": "s-maxage=31536000" }).end("EVIL");
}

function keeping(value) {
  return (_, response) => response.writeHead(200, { "cache-control": value }).end("EVIL");
}

for (const [n, [name, variants]] of Object.entries(harmfulAnswers).entries()) {
  test(`an answer of the site: ${name}: it is for nobody else`, async () => {
    for (const [m, answer] of variants.entries()) {
      const path = `/p/answer-${n}-${m}`;
      answers.set(path, answer);
      const first = await get(path);
      assert.doesNotMatch(first, /X-ISR-Status: HIT/i);
      assert.deepEqual(await isr.stored(path), []);
      answers.delete(path);
      const next = await until(`the page after ${name}`, async () => {
        const answer = await isr.fetch(path);
        assert.doesNotMatch(told(answer), /evil/i);
        return answer.status === 200 && answer;
      });
      assert.equal(next.text, `page ${path}`);
    }
  });
}
