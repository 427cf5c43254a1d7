/**
 * Known attacks on users of caches like this one, tried against the running gateway. The origin behind it is as
 * gullible as possible: it shows everything that it receives, and trusts every header that an attack has ever used.
 * Each test of such headers first proves that the origin alone falls for the attack. Harmful values contain the word
 * EVIL.
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
/** What the gateway itself states about the URL of a page. */
const stated = { "x-forwarded-host": host, "x-forwarded-proto": "http", forwarded: `host=${host};proto=http` };
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
  const fallen = [...believed].filter((name) => name in headers && headers[name] !== stated[name]);
  const lines = fallen.length > 0 ? { "cache-control": "s-maxage=31536000", "set-cookie": `session=EVIL` } : {};
  response.writeHead(200, { "content-type": "text/html", ...lines });
  response.end(fallen.length > 0 ? `EVIL: ${method} ${url} ${JSON.stringify(headers)}` : `page ${url}`);
}

/** Writes an answer byte for byte. */
const raw = (text) => (_, response) => response.socket.end(Buffer.from(text, "latin1"));

const routes = {
  "/p/[...rest]": { revalidate: 600, query: "none", trailing_slash: "strip" },
  "/keep/[...rest]": { revalidate: 600, query: "none", trailing_slash: "keep" },
  "/redirect/[...rest]": { revalidate: 600, query: "none", trailing_slash: "redirect" },
  "/none/[name]": { revalidate: 600, query: "none" },
  "/list/[name]": { revalidate: 600, query: ["page"] },
  "/named/[name]": { revalidate: 600, query: ["a", "b"] },
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

/** Sends bytes unchanged, and returns the bytes received until the connection ends. */
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
    const sent = arrived(path)[0].headers;
    assert.deepEqual(Object.keys(sent).filter((name) => believed.has(name) && sent[name] !== stated[name]), []);
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
  "Vary by what no key has": [varying("User-Agent"), varying("Cookie, Accept"), varying("*")],
  "private": [keeping("private"), keeping("no-store"), keeping("no-cache"), keeping('private="set-cookie", s-maxage=9')],
  "a malformed Content-Length": [raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\nEVIL")],
  "a body that breaks off": [raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nEVIL")],
  "two lengths (response splitting)": [raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nEVIL")],
  "a line that ends with a bare CR": [raw("HTTP/1.1 200 OK\r\nX-A: a\rSet-Cookie: session=EVIL\r\nConnection: close\r\n\r\nEVIL")],
  "a NUL in a value": [raw("HTTP/1.1 200 OK\r\nX-A: a\0EVIL\r\nConnection: close\r\n\r\nEVIL")],
  "a value with a control character": [raw("HTTP/1.1 200 OK\r\nX-A: a\x01EVIL\r\nConnection: close\r\n\r\nEVIL")],
  "a name with a blank": [raw("HTTP/1.1 200 OK\r\nSet-Cookie : session=EVIL\r\nConnection: close\r\n\r\nEVIL")],
  "a header of 17 KB": [(_, response) => response.writeHead(200, { "x-long": "E".repeat(17_000) }).end("EVIL")],
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
        // What a failing site has said to a render, it says to all for a short while.
        if (answer.cacheStatus?.detail !== "backoff") assert.doesNotMatch(told(answer), /evil/i);
        return answer.status === 200 && answer;
      });
      assert.equal(next.text, `page ${path}`);
    }
  });
}

/** Spellings of one page: the first is what the site is asked for. */
const spellings = {
  "mixed-case percent-encoding": ["/p/%C3%BC%E4%BD%A0", "/p/%c3%bc%e4%bd%a0", "/p/%C3%bc%E4%Bd%a0", "/p/%C3%BC%E4%bd%A0/"],
  "needless percent-encoding": ["/p/needless", "/p/%6eeedless", "/p/%6Eee%64less", "/%70/needless"],
  "dot segments": ["/p/dots", "/p/x/../dots", "/p/./dots", "/p/x/%2e%2E/dots", "/../p/dots", "/p\\x\\..\\dots"],
  "slashes": ["/p/slashes", "//p//slashes//", "/p/slashes/", "/p\\slashes"],
  "parameters that are not the page's": ["/p/query", "/p/query?EVIL", "/p/query?utm_source=EVIL", "/p/query?__nextDataReq=1&_rsc=EVIL", "/p/query?;EVIL"],
  "the coding of parameters": ["/all/coding?a=1&b=%C3%BC", "/all/coding?%61=1&b=%c3%bc", "/all/coding?&a=%31&&b=%C3%bC&utm_source=EVIL"],
  "the order of parameters that are named": ["/named/order?a=1&b=x+y", "/named/order?b=x+y&a=1", "/named/order?&b=x+y&&%61=1&EVIL"],
};

for (const [name, [canonical, ...others]] of Object.entries(spellings)) {
  test(`cache busting by ${name}: one page, one render`, async () => {
    const [before, replies] = [seen.length, []];
    for (const target of [others[0], canonical, ...others]) replies.push(await get(target));
    for (const reply of replies) {
      assert.match(reply, /^HTTP\/1.1 200 /);
      assert.ok(reply.includes(`page ${canonical}`), reply);
    }
    assert.deepEqual(seen.slice(before).map(({ url }) => url), [canonical]);
    await plainVisitorIsShown(canonical, `page ${canonical}`);
  });
}

/** Pages that are not the same, however alike they look. The gateway may store them, or leave them alone. */
const confusable = {
  "an encoded slash": ["/p/a%2Fb", "/p/a/b", "/p/a%252Fb", "/p/a%5Cb"],
  "encoded dots and slashes (opennextjs/opennextjs-cloudflare#1312)": ["/p/c", "/p/x%2F..%2Fc", "/p/..%2Fp%2Fc", "/p/%252e%252e/p/c", "/p/..%5Cc"],
  "an encoded NUL": ["/p/nul", "/p/nul%00", "/p/nul%00.css", "/p/nul%2500"],
  "overlong UTF-8": ["/p/long", "/p/x%C0%AF..%C0%AFlong", "/p/%C0%AE%C0%AE/long", "/p/%E0%80%AFlong", "/p/%FFlong"],
  "an encoded question mark, number sign, ampersand (cloudflare/vinext#183)": [
    "/all/d?a=1", "/all/d%3Fa=1", "/all/d%23a=1", "/all/d?a=1%26b=2", "/all/d?a=1&b=2", "/all/d?a%3D1=", "/all/d?a=1%23", "/all/d?a=%2B", "/all/d?a=+",
  ],
  "repeated parameters (parameter pollution)": ["/all/e?a=1&a=2", "/all/e?a=2&a=1", "/all/e?a=1", "/all/e?a=2", "/all/e?a[]=1&a[]=2"],
  "bytes that are not UTF-8 in parameters": ["/all/f?a=%FF", "/all/f?a=%FE", "/all/f?a=%C0%AF", "/all/f?a=%EF%BF%BD", "/all/f?a=/"],
  "the name of a variant": ["/rsc/g", "/rsc/g%23header.rsc=1", "/p/g%23header.rsc=1", "/p/g"],
  "a slash at the end, where it counts": ["/keep/h/", "/keep/h", "/keep/h%2F"],
  "path parameters": ["/p/i", "/p/i;a=b", "/p/i;.css", "/p/i/;a"],
  "upper case": ["/p/Case", "/p/case"],
};

/** What a site understands of a URL: its path byte for byte, and its parameters. */
function understood(target) {
  const [path, query] = target.split("?");
  const bytes = path.replace(/%([0-9a-f]{2})/gi, (code, hex) => (/^(2f|5c|00|25|3f|23|3b)$/i.test(hex) ? code.toUpperCase() : unescape(code)));
  return JSON.stringify([bytes, query === undefined ? [] : [...new URLSearchParams(query)]]);
}

for (const [name, targets] of Object.entries(confusable)) {
  test(`key confusion by ${name}: each page is shown to those who ask for it`, async () => {
    assert.equal(new Set(targets).size, targets.length);
    for (const [round, order] of [targets, targets.toReversed(), targets].entries()) {
      for (const target of order) {
        const reply = await get(target);
        assert.match(reply, /^HTTP\/1.1 200 /, target);
        const url = /page (.*?)(\r\n|$)/.exec(reply)[1];
        assert.equal(understood(url), understood(target), `round ${round}`);
      }
    }
  });
}

test("what can't be told apart is not stored", async () => {
  for (const target of ["/p/plain%00", "/p/plain%zz", "/p/plain%", "/all/plain?a=%FF", `/all/plain?a=${"b".repeat(5_000)}`]) {
    const [one, other] = [await get(target), await get(target)];
    for (const reply of [one, other]) assert.match(reply, /^HTTP\/1.1 200 /, target);
    assert.equal(arrived(target).length, 2, target);
  }
});

test("request smuggling into the gateway's own endpoints", async () => {
  await plainVisitorIsShown("/p/kept", "page /p/kept", ["MISS"]);
  const body = JSON.stringify({ everything: true, mode: "purge" });
  for (const target of ["/__isr/revalidate", "//__isr/revalidate", "/p/../__isr/revalidate", "/%5f%5fisr/revalidate", "/__isr%2Frevalidate", "/p/..%2f__isr%2frevalidate", "/__isr\\revalidate", "/__isr/revalidate%00"]) {
    const length = `Content-Length: ${body.length}`;
    const reply = await send(`POST ${target} HTTP/1.1\r\nHost: ${host}\r\n${length}\r\nAuthorization: Bearer EVIL\r\nConnection: close\r\n\r\n${body}`);
    const [, code] = /^HTTP\/1.1 (\d+) /.exec(reply);
    // Either the gateway refuses it, or it is a page of the site's like any other.
    assert.ok(["401", "404"].includes(code) || reply.includes("EVIL: POST "), `${target}: ${reply}`);
    await plainVisitorIsShown("/p/kept", "page /p/kept");
  }
});

const hiddenRequest = `GET /p/smuggled HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: EVIL\r\n\r\n`;
for (const [name, text] of Object.entries({
  "CL.TE": `POST /form HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${hiddenRequest.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hiddenRequest}`,
  "TE.CL": `POST /form HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${hiddenRequest.length.toString(16)}\r\n${hiddenRequest}\r\n0\r\n\r\n`,
  "TE.TE": `POST /form HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: EVIL\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
  "a GET with a body": `GET /p/fat HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${hiddenRequest.length}\r\nConnection: close\r\n\r\n${hiddenRequest}`,
  "a line in the target": `GET /p/line%0d%0aX-Forwarded-Host:%20EVIL HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
})) {
  test(`request smuggling by ${name}: nothing hidden reaches the site as a request of its own`, async () => {
    const before = seen.length;
    await send(text).catch(() => "");
    await plainVisitorIsShown("/p/after-smuggling", "page /p/after-smuggling", ["MISS", "HIT"]);
    for (const { url, headers } of seen.slice(before)) {
      assert.notEqual(headers["x-forwarded-host"], "EVIL", url);
      assert.notEqual(headers.host, "evil.test", url);
    }
  });
}

test("header injection by a redirect to the path without a slash", async () => {
  for (const target of ["/redirect/a%0d%0aSet-Cookie:%20session=EVIL/", "//evil.test/redirect/a/", "/redirect/a/?b=%0d%0aSet-Cookie:EVIL", "/\\evil.test/%2e%2e/redirect/a/"]) {
    const [head] = (await get(target)).split("\r\n\r\n");
    assert.doesNotMatch(head, /^set-cookie/im, target);
    assert.doesNotMatch(head, /^location: (\/\/|\/\\|[a-z]+:)/im, target);
    assert.match(head, /^HTTP\/1.1 (200|308) /);
  }
});

test("host confusion: a page is kept for the host that it was asked for", async () => {
  answers.set("/p/host", ({ headers }, response) => response.end(`page for ${headers["x-forwarded-host"] ?? "all"}`));
  const own = await isr.fetch("/p/host", { headers: { "x-forwarded-host": "evil.test" } });
  assert.deepEqual([own.isr, own.text], ["MISS", `page for ${host}`]);
  for (const hosts of [["evil.test"], ["isr.test.evil.test"], ["evil.test", host], [host, "evil.test"], [`${host}:1@evil.test`], [`${host}/p/host?`], [`${host}#`], ["evil.test\\"], []]) {
    await get("/p/host", { hosts });
    await get("http://evil.test/p/host", { hosts });
  }
  await plainVisitorIsShown("/p/host", `page for ${host}`);
  const foreign = await isr.stored("/p/host");
  assert.deepEqual(foreign, [`http://${host}/p/host`]);
});

test("host confusion: with `hosts`, nothing is kept for others", async () => {
  const closed = await start({ origin: null, isr: settings({ hosts: [host] }) });
  const before = arrived("/p/hosts").length;
  const made = await all(50, (n) => closed.fetch("/p/hosts", { visitedHost: `evil-${n}.test` }));
  assert.deepEqual([...new Set(made.map((answer) => `${answer.isr} ${answer.cacheStatus.detail}`))], ["SKIP host"]);
  const own = [await closed.fetch("/p/hosts"), await closed.fetch("/p/hosts", { visitedHost: host.toUpperCase() })];
  assert.deepEqual(own.map((answer) => answer.isr), ["MISS", "HIT"]);
  assert.equal(arrived("/p/hosts").length - before, 51);
});

test("CVE-2026-44576: one variant is not served for another, and unknown values make no new ones", async () => {
  answers.set("/rsc/page", ({ headers }, response) => {
    response.writeHead(200, { "content-type": headers.rsc ? "text/x-component" : "text/html", vary: "RSC" }).end(headers.rsc ? "component" : "page");
  });
  for (const outcome of ["MISS", "HIT"]) {
    const component = await isr.fetch("/rsc/page", { headers: { rsc: "1" } });
    const page = await isr.fetch("/rsc/page");
    const kinds = [component, page].map((answer) => [answer.isr, answer.headers.get("content-type"), answer.text]);
    assert.deepEqual(kinds, [[outcome, "text/x-component", "component"], [outcome, "text/html", "page"]]);
  }
  const made = await all(100, (n) => isr.fetch(`/rsc/page?_rsc=${n}`, { headers: { rsc: `1, EVIL${n}` } }));
  assert.deepEqual([...new Set(made.map((answer) => `${answer.isr} ${answer.text}`))], ["HIT page"]);
  assert.equal(arrived("/rsc/page").length, 2);
});

test("web cache deception: a personal page under the name of a file shows nothing personal to others", async () => {
  const personal = ({ headers }, response) => response.writeHead(200, { "cache-control": "s-maxage=600" }).end(`account of ${headers.cookie ?? "nobody"}`);
  for (const path of ["/p/account/style.css", "/p/account/%2e%2e%2fstyle.css", "/p/account;style.css", "/p/account%0Astyle.css"]) {
    for (const spelling of [path, path.replaceAll("%2e%2e", "..").replaceAll("%2f", "%2F")]) answers.set(spelling, personal);
    const victim = await isr.fetch(path, { headers: { cookie: "session=EVIL" } });
    const attacker = await isr.fetch(path);
    assert.deepEqual([victim.text, attacker.text, attacker.isr], ["account of nobody", "account of nobody", "HIT"], path);
  }
});

/** Shows each visitor the cookie that came with the request, and sets one that is made for this visitor. */
const echo = (more) => async ({ headers }, response) => {
  const { cookie = "nobody" } = headers;
  await sleep(100);
  response.writeHead(200, { "set-cookie": `session=${cookie}`, ...more }).end(`for ${cookie}`);
};

test("unjs/ocache#68, cloudflare/vinext#1945: waiters who share a leader's render do not get its cookie", async () => {
  answers.set("/p/leader", echo({ "cache-control": "public" }));
  const crowd = await all(100, (n) => isr.fetch("/p/leader", { headers: { cookie: `visitor-${n}` } }));
  assert.deepEqual([...new Set(crowd.map(({ text, headers }) => `${text}, ${headers.get("set-cookie")}`))], ["for nobody, null"]);
  assert.equal(arrived("/p/leader").length, 1);
});

test("waiters who share a leader whose answer turns out to be private get answers of their own", async () => {
  answers.set("/p/private", echo({ "cache-control": "private" }));
  const crowd = await all(100, (n) => isr.fetch("/p/private", { headers: { cookie: `visitor-${n}` } }));
  for (const [n, answer] of crowd.entries()) {
    assert.deepEqual([answer.isr, answer.text, answer.headers.get("set-cookie")], ["SKIP", `for visitor-${n}`, `session=visitor-${n}`]);
  }
  assert.equal(arrived("/p/private").length, 101);
  const plain = await isr.fetch("/p/private");
  assert.deepEqual([plain.text, await isr.stored("/p/private")], ["for nobody", []]);
});

test("cookies under concurrency: nobody gets what was made for another", async () => {
  answers.set("/passed", echo({}));
  for (const n of Array(5).keys()) answers.set(`/p/shared-${n}`, echo({ "cache-control": "public" }));
  for (const n of Array(5).keys()) answers.set(`/p/own-${n}`, echo({ "cache-control": "private" }));
  const paths = [...answers.keys()].filter((path) => /^\/(passed|p\/shared-|p\/own-)/.test(path));
  const leaks = await all(600, async (n) => {
    const path = paths[n % paths.length];
    const { text, headers } = await isr.fetch(path, { headers: { cookie: `visitor-${n}` } });
    const [expected, cookie] = path.startsWith("/p/shared-") ? ["for nobody", null] : [`for visitor-${n}`, `session=visitor-${n}`];
    return text === expected && headers.get("set-cookie") === cookie ? [] : [`${path}: ${n} got ${text}, ${headers.get("set-cookie")}`];
  });
  assert.deepEqual(leaks.flat(), []);
});

test("cloudflare/vinext#2907, nitrojs/nitro#1894: bytes that are no text come out as they went in", async () => {
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, n) => (n * 7 + (n >> 8)) % 256));
  answers.set("/p/binary", (_, response) => response.writeHead(200, { "content-type": "image/png" }).end(bytes));
  for (const outcome of ["MISS", "HIT"]) {
    const answer = await isr.fetch("/p/binary");
    assert.deepEqual([answer.isr, Buffer.compare(answer.body, bytes)], [outcome, 0]);
  }
});

test("a page with a header of 16 KB is stored and shown whole, and a request with one is passed on", async () => {
  const long = "x".repeat(16 * 1024);
  answers.set("/p/long-header", (_, response) => response.writeHead(200, { "x-long": long }).end("page"));
  for (const outcome of ["MISS", "HIT"]) {
    const reply = await get("/p/long-header", { headers: { "x-visitor": long } });
    assert.deepEqual([/^x-isr-status: (.*)\r$/im.exec(reply)[1], /^x-long: (.*)\r$/im.exec(reply)[1] === long], [outcome, true]);
  }
  await get("/passed-long", { headers: { "x-visitor": long } });
  assert.equal(arrived("/passed-long")[0].headers["x-visitor"], long);
});

test("unknownking07/vibe-talent#239: a storm of visitors of a stale page is one render", async () => {
  await plainVisitorIsShown("/p/storm", "page /p/storm", ["MISS"]);
  assert.equal((await isr.revalidate({ path: "/p/storm", mode: "stale" })).status, 200);
  const crowd = await all(200, () => isr.fetch("/p/storm"));
  assert.deepEqual([...new Set(crowd.map((answer) => answer.text))], ["page /p/storm"]);
  await isr.untilStatus("/p/storm", "HIT");
  assert.ok(arrived("/p/storm").length <= 2, `${arrived("/p/storm").length} renders`);
});

test("cloudflare/vinext#1619: 10,000 values of a header, or of parameters that are not the page's, are one render", async () => {
  for (const [path, queryOf] of [["/none/page", (n) => `?evil=${n}&page=${n}`], ["/list/page", (n) => `?evil=${n}&page=1`]]) {
    const outcomes = new Map();
    for (let begin = 0; begin < 5_000; begin += 200) {
      const some = await all(200, (n) => isr.fetch(path + queryOf(begin + n), { headers: { "x-evil": String(begin + n) } }));
      for (const { isr: outcome } of some) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    assert.equal((outcomes.get("MISS") ?? 0) + (outcomes.get("HIT") ?? 0), 5_000);
    assert.equal(arrivedBelow(path).length, 1);
  }
});

/** Each is rendered; 10,000 take two minutes: `ISR_E2E_MADE_UP_PAGES=10000`. */
const madeUp = Number(process.env.ISR_E2E_MADE_UP_PAGES ?? 2000);

test(`${madeUp} pages made up of parameters, where all of them count: each is asked for once, and the others stay`, async () => {
  await plainVisitorIsShown("/all/plain", "page /all/plain", ["MISS"]);
  const statuses = new Map();
  for (let begin = 0; begin < madeUp; begin += 200) {
    const some = await all(200, (n) => isr.fetch(`/all/plain?evil=${begin + n}`));
    for (const { status, isr: outcome, cacheStatus } of some) {
      const key = `${status} ${outcome} ${cacheStatus.detail ?? ""}`;
      statuses.set(key, (statuses.get(key) ?? 0) + 1);
    }
  }
  assert.deepEqual([...statuses], [["200 MISS ", madeUp]]);
  const asked = arrivedBelow("/all/plain?evil=");
  assert.deepEqual([asked.length, new Set(asked.map(({ url }) => url)).size], [madeUp, madeUp]);
  await plainVisitorIsShown("/all/plain", "page /all/plain");
});

test("after all of this: nothing has panicked, and in L2 is what plain visitors were shown", async () => {
  assert.deepEqual(isr.logs.filter((line) => /panicked|unreachable|RuntimeError/.test(line)), []);
  for (const path of ["/p/header-0", "/p/dots"]) await until("L2", async () => (await isr.stored(path)).length);
  await isr.kill();
  const other = await start({ origin: null, isr: settings({ cache_name: "another-colo" }), folder });
  assert.ok(shown.size > 20);
  const before = seen.length;
  for (const [path, text] of shown) {
    const answer = await other.fetch(path);
    assert.deepEqual([answer.status, answer.text], [200, text], path);
    assert.doesNotMatch(told(answer), /evil|set-cookie/i);
  }
  assert.ok(seen.length - before < shown.size / 2, "most are from L2");
  assert.deepEqual(other.logs.filter((line) => /panicked/.test(line)), []);
});
