/** Redirects lead visitors to where the origin sends them, by the visitor's URL, and never in a circle. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { host } from "../harness.mjs";
import { gatewayFor, originOf } from "./origin.mjs";

let origin, isr;

/** Answers by path below the origin's URL, which ends in /site. */
const answers = {
  "/moved": (url) => [301, { location: `${url}/b` }],
  "/found": (url) => [302, { location: `${url}/b?x=1#part` }],
  "/moved-path": () => [301, { location: "/site/b" }],
  "/moved-root": (url) => [301, { location: url }],
  "/moved-double": (url) => [301, { location: `${url}//evil.test` }],
  "/moved-beside": (url) => [301, { location: `${url}-other/b` }],
  "/moved-elsewhere": () => [301, { location: "https://elsewhere.test/site/b" }],
  "/moved-relative": () => [301, { location: "b" }],
  "/content": (url) => [200, { "content-location": `${url}/content.en`, link: `<${url}/style.css>; rel=preload, </site/next>; rel="next", <https://cdn.test/a,b>; rel=preconnect` }],
  "/content-passed": (url) => [200, { "cache-control": "private", "content-location": `${url}/content.en`, link: `<${url}/style.css>; rel=preload` }],
  "/refresh": (url) => [200, { refresh: `5; url=${url}/b` }],
  "/refresh-quoted": (url) => [200, { refresh: `0;URL='${url}/b'` }],
};

before(async () => {
  origin = await originOf(({ url }, response) => {
    const path = url.replace(/^\/site/, "").split("?")[0];
    const [status, headers] = answers[path]?.(`${origin.url}/site`) ?? [200, {}];
    response.writeHead(status, headers).end(`page ${path}`);
  });
  isr = await gatewayFor(origin, { base: "/site", route: { query: ["id"] } });
});

for (const [path, outcomes, name, expected] of [
  ["/moved", ["MISS", "HIT"], "location", "/b"],
  ["/found", ["SKIP", "SKIP"], "location", "/b?x=1#part"],
  ["/moved-path", ["MISS", "HIT"], "location", "/b"],
  ["/moved-root", ["MISS", "HIT"], "location", "/"],
  ["/moved-double", ["MISS", "HIT"], "location", "/.//evil.test"],
  ["/moved-elsewhere", ["MISS", "HIT"], "location", "https://elsewhere.test/site/b"],
  ["/moved-relative", ["MISS", "HIT"], "location", "b"],
  ["/content", ["MISS", "HIT"], "content-location", "/content.en"],
  ["/content", ["HIT"], "link", '</style.css>; rel=preload, </next>; rel="next", <https://cdn.test/a,b>; rel=preconnect'],
  ["/content-passed", ["SKIP", "SKIP"], "content-location", "/content.en"],
  ["/content-passed", ["SKIP"], "link", "</style.css>; rel=preload"],
  ["/refresh", ["MISS", "HIT"], "refresh", "5; url=/b"],
  ["/refresh-quoted", ["MISS", "HIT"], "refresh", "0;URL='/b'"],
]) {
  test(`${path}: ${name} is a URL of the visitor's host`, async () => {
    for (const outcome of outcomes) {
      const answer = await isr.fetch(path);
      assert.deepEqual([answer.isr, answer.headers.get(name)], [outcome, expected]);
    }
  });
}

test("a URL beside `origin` is not mapped", async () => {
  assert.equal((await isr.fetch("/moved-beside")).headers.get("location"), `${origin.url}/site-other/b`);
});

test("parameters that make no difference to a redirect stay with the visitor", async () => {
  const query = await originOf(({ url }, response) => {
    const { pathname, search } = new URL(url, "http://origin.test");
    const target = { "/old/www": "http://www.isr.test/new", "/old/other": "https://other.test/new", "/old/fixed": "/new?utm_source=own#a" }[pathname];
    response.writeHead(301, { location: target ?? pathname.replace("/old", "/new") + search }).end();
  });
  const gateway = await gatewayFor(query, { route: { query: ["id"] } });
  for (const [from, to] of [
    ["/old/a?utm_source=mail", "/new/a?utm_source=mail"],
    ["/old/a?gclid=1&id=7&utm_source=a%20b", "/new/a?id=7&gclid=1&utm_source=a%20b"],
    ["/old/a", "/new/a"],
    ["/old/fixed?utm_source=mail&fbclid=2", "/new?utm_source=own&fbclid=2#a"],
    ["/old/www?utm_source=mail", "http://www.isr.test/new?utm_source=mail"],
    ["/old/other?utm_source=mail", "https://other.test/new"],
  ]) {
    for (let n = 0; n < 2; n += 1) assert.equal((await gateway.fetch(from)).headers.get("location"), to, from);
  }
});

/** Follows redirects as a browser does, and returns the last answer with the number of redirects. */
async function followed(gateway, path, visitedHost = host) {
  for (let hops = 0; hops < 5; hops += 1) {
    const answer = await gateway.fetch(path, { visitedHost });
    if (answer.status < 300 || answer.status > 399) return [answer.status, answer.text, hops];
    const to = new URL(answer.headers.get("location"), `http://${visitedHost}${path}`);
    [path, visitedHost] = [to.pathname + to.search, to.host];
  }
  return "a circle";
}

test("a redirect that adds a parameter which is not in the key is no circle", async () => {
  const query = await originOf(({ url }, response) => {
    if (url === "/p") return response.writeHead(301, { location: "/p?lang=en" }).end();
    response.end(`page ${url}`);
  });
  const gateway = await gatewayFor(query, { route: { query: ["id"] } });
  for (let n = 0; n < 3; n += 1) assert.deepEqual(await followed(gateway, "/p"), [200, "page /p?lang=en", 1]);
  assert.ok(gateway.logs.some((line) => /`query`/.test(line) && /redirect/.test(line)), gateway.logs.join("\n"));
});

test("`canonical_origin` against the site's own host: the page passes, and the log names both", async () => {
  const named = await originOf(({ url, headers }, response) => {
    if (headers["x-forwarded-host"] === "example.com") return response.writeHead(301, { location: `http://www.example.com${url}` }).end();
    response.end(`page ${url}`);
  });
  const gateway = await gatewayFor(named, { settings: { canonical_origin: "http://example.com" } });
  for (let n = 0; n < 3; n += 1) {
    assert.deepEqual(await followed(gateway, "/a", "www.example.com"), [200, "page /a", 0]);
    assert.deepEqual(await followed(gateway, "/a", "example.com"), [200, "page /a", 1]);
  }
  assert.ok(gateway.logs.some((line) => /`canonical_origin`/.test(line) && /www\.example\.com/.test(line)), gateway.logs.join("\n"));
});

/** A site whose pages end in a slash, or whose pages do not. */
const slashes = (wants) => originOf(({ url }, response) => {
  const [path, search] = [url.split("?")[0], url.includes("?") ? `?${url.split("?")[1]}` : ""];
  if (path !== "/" && path.endsWith("/") !== wants) {
    return response.writeHead(301, { location: (wants ? `${path}/` : path.slice(0, -1)) + search }).end();
  }
  response.end(`page ${path}`);
});

for (const [trailing_slash, wants] of [["redirect", true], ["redirect", false], ["strip", true], ["strip", false], ["keep", true], ["keep", false], [undefined, true], [undefined, false]]) {
  test(`trailing_slash = ${trailing_slash}, the site ${wants ? "wants" : "removes"} a slash: every URL leads to the page`, async () => {
    const gateway = await gatewayFor(await slashes(wants), { route: { ...(trailing_slash && { trailing_slash }) } });
    for (let n = 0; n < 2; n += 1) {
      for (const path of ["/docs/a", "/docs/a/"]) {
        const [status, text] = await followed(gateway, path);
        assert.deepEqual([status, text.replace(/\/$/, "")], [200, "page /docs/a"], path);
      }
    }
    if (trailing_slash === undefined) {
      for (const path of ["/docs/a", "/docs/a/"]) assert.equal((await gateway.fetch(path)).isr, "HIT", path);
    }
  });
}
