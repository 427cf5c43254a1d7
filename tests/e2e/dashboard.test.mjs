/** The dashboard over HTTP: its page, its sessions, and that no other site can use them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import { before, test } from "node:test";

import { adminToken, config, host, start } from "./harness.mjs";

const own = { "sec-fetch-site": "same-origin", origin: `http://${host}` };
const attributes = ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"];

/** An origin that says which headers it got. */
const mirror = await new Promise((resolve) => {
  const server = http.createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(request.headers));
  });
  server.listen(0, "127.0.0.1", () => resolve(server));
  server.unref();
});

/** The same as a Worker. */
const echo = {
  name: "echo",
  modules: true,
  compatibilityDate: "2026-11-01",
  script: "export default { fetch: ({ headers }) => Response.json(Object.fromEntries(headers)) };",
};

let isr;
before(async () => {
  const url = `http://127.0.0.1:${mirror.address().port}`;
  const mirrored = { "/by-url/[name]": { origin: url, revalidate: 0 }, "/by-binding/[name]": { origin: "ECHO", revalidate: 0 } };
  isr = await start({ isr: config({ bypass_cookies: ["*"] }, mirrored), services: { ECHO: "echo" }, workers: [echo] });
});

function session(method, { headers = own, token, body = token === undefined ? undefined : JSON.stringify({ token }) } = {}) {
  return isr.fetch("/__isr/session", { method, headers, body });
}

/** Signs in, and returns the `Cookie` of the session. */
async function signIn() {
  const answer = await session("POST", { token: adminToken });
  assert.equal(answer.status, 200, answer.text);
  return answer.headers.get("set-cookie").split(";")[0];
}

test("the page is self-contained, and its policy names exactly its script and its style", async () => {
  const page = await isr.fetch("/__isr/");
  assert.deepEqual([page.status, page.headers.get("content-type"), page.headers.get("cache-control")], [200, "text/html; charset=utf-8", "no-store"]);
  const policy = Object.fromEntries(page.headers.get("content-security-policy").split("; ").map((part) => [part.split(" ")[0], part.split(" ").slice(1)]));
  const hashes = (tag) => [...page.text.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, "gs"))].map(([, text]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`);
  assert.deepEqual(policy, {
    "default-src": ["'none'"], "script-src": hashes("script"), "style-src": hashes("style"), "img-src": ["data:"], "connect-src": ["'self'"],
    "form-action": ["'self'"], "base-uri": ["'none'"], "frame-ancestors": ["'none'"], "require-trusted-types-for": ["'script'"], "trusted-types": ["'none'"],
  });
  assert.deepEqual([policy["script-src"].length, policy["style-src"].length], [1, 1]);
  assert.equal(page.headers.get("x-frame-options"), "DENY");
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.doesNotMatch(page.text, /(?:src|href)="(?!data:)/, "no other file");
  assert.doesNotMatch(page.text, /\son[a-z]+="|\sstyle="/, "no inline handlers and styles");
  assert.ok(!page.text.includes(adminToken));
  assert.match(page.text, /Permission is hereby granted/, "the licence of uPlot");
});

test("the page has one address, and answers GET and HEAD", async () => {
  const moved = await isr.fetch("/__isr");
  assert.deepEqual([moved.status, moved.headers.get("location")], [308, "/__isr/"]);
  const head = await isr.fetch("/__isr/", { method: "HEAD" });
  assert.deepEqual([head.status, head.text], [200, ""]);
  const post = await isr.fetch("/__isr/", { method: "POST", body: "x" });
  assert.deepEqual([post.status, post.headers.get("allow"), post.json.error.code], [405, "GET, HEAD", "method_not_allowed"]);
  for (const path of ["/__isr/index.html", "/__isr//", "/x/__isr/"]) assert.doesNotMatch((await isr.fetch(path)).text, /Admin token/, path);
});

test("without a token, neither page nor sessions exist", async () => {
  const closed = await start({ bindings: { ISR_ADMIN_TOKEN: undefined } });
  for (const [method, path] of [["GET", "/__isr/"], ["GET", "/__isr"], ["GET", "/__isr/session"], ["POST", "/__isr/session"]]) {
    const answer = await closed.fetch(path, { method, headers: own, body: method === "POST" ? JSON.stringify({ token: "" }) : undefined });
    assert.deepEqual([answer.status, answer.json.error.code], [404, "not_found"], path);
  }
  assert.ok(closed.logs.some((line) => line.includes("wrangler secret put ISR_ADMIN_TOKEN")), closed.logs.join("\n"));
  await closed.kill();
});

test("a session begins with the token, opens the API, and ends", async () => {
  const answer = await session("POST", { token: ` ${adminToken}\n` });
  assert.equal(answer.status, 200, answer.text);
  const [pair, ...given] = answer.headers.get("set-cookie").split("; ");
  assert.match(pair, /^__Host-isr-session=\d+\.[\w-]{43}$/);
  assert.deepEqual(given, ["Max-Age=43200", ...attributes]);
  assert.ok(Math.abs(answer.json.endsAt - Date.now() - 12 * 3_600_000) < 60_000);
  assert.equal(answer.headers.get("cache-control"), "no-store");

  const headers = { ...own, cookie: `theme=dark; ${pair}` };
  for (const path of ["overview", "metrics", "decisions", "health", "session"]) assert.equal((await isr.fetch(`/__isr/${path}`, { headers })).status, 200, path);
  assert.deepEqual((await session("GET", { headers })).json.signedIn, true);
  const revalidated = await isr.fetch("/__isr/revalidate", { method: "POST", headers, body: JSON.stringify({ tag: "any" }) });
  assert.equal(revalidated.status, 200, revalidated.text);

  const ended = await session("DELETE", { headers });
  assert.deepEqual(ended.headers.get("set-cookie").split("; "), ["__Host-isr-session=", "Max-Age=0", ...attributes]);
  assert.deepEqual((await session("GET")).json, { signedIn: false, endsAt: null });
});

test("a wrong token begins nothing", async () => {
  for (const token of ["", "wrong", adminToken.slice(1), `${adminToken}x`, adminToken.toUpperCase()]) {
    const answer = await session("POST", { token });
    assert.deepEqual([answer.status, answer.json.error.message, answer.headers.get("set-cookie")], [401, "the token is wrong", null], token);
  }
  for (const body of ["", "{", "[]", '{"token":5}', '{"token":"a","more":1}', `token=${adminToken}`]) assert.equal((await session("POST", { body })).status, 400, body);
  assert.equal((await session("POST", { body: JSON.stringify({ token: "x".repeat(5000) }) })).status, 413);
  const put = await session("PUT", { token: adminToken });
  assert.deepEqual([put.status, put.headers.get("allow")], [405, "GET, POST, DELETE"]);
});

test("a cookie that is forged, over, or of another token opens nothing", async () => {
  const [name, value] = (await signIn()).split("=");
  const [end, signature] = value.split(".");
  const forged = [`${Number(end) + 1}.${signature}`, `${end}.${"A".repeat(43)}`, `${end}.`, `${end}`, "", ".", `1.${signature}`, adminToken, "x".repeat(4000)];
  for (const value of forged) {
    const answer = await isr.fetch("/__isr/overview", { headers: { ...own, cookie: `${name}=${value}` } });
    assert.equal(answer.status, 401, value);
  }
  const rotated = await start({ bindings: { ISR_ADMIN_TOKEN: "the next token" } });
  assert.equal((await rotated.fetch("/__isr/overview", { headers: { ...own, cookie: `${name}=${value}` } })).status, 401);
  await rotated.kill();
  assert.equal((await isr.fetch("/__isr/overview", { headers: { ...own, cookie: `isr-session=${value}` } })).status, 401, "another name");
});

test("no other page can use a session", async () => {
  const cookie = await signIn();
  const refused = [
    { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
    { "sec-fetch-site": "same-site", origin: `http://other.${host}` },
    { "sec-fetch-site": "none" },
    { "sec-fetch-site": "cross-site", origin: `http://${host}` },
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: `http://${host}.evil.example` },
    {},
  ];
  for (const headers of refused) {
    const post = await isr.fetch("/__isr/revalidate", { method: "POST", headers: { ...headers, cookie }, body: JSON.stringify({ everything: true }) });
    assert.deepEqual([post.status, post.json.error.code], [401, "unauthorized"], JSON.stringify(headers));
    assert.match(post.json.error.message, /for the dashboard alone/);
    assert.equal((await session("DELETE", { headers: { ...headers, cookie } })).status, 401, "it can't sign out");
    assert.equal((await session("POST", { headers, token: adminToken })).status, 401, "it can't sign in");
  }
  for (const site of ["cross-site", "same-site"]) assert.equal((await isr.fetch("/__isr/overview", { headers: { "sec-fetch-site": site, cookie } })).status, 401, site);
  // An earlier browser, and the address bar.
  assert.equal((await isr.fetch("/__isr/overview", { headers: { cookie } })).status, 200);
  assert.equal((await isr.fetch("/__isr/overview", { headers: { cookie, "sec-fetch-site": "none" } })).status, 200);
  const earlier = await isr.fetch("/__isr/revalidate", { method: "POST", headers: { cookie, origin: own.origin }, body: JSON.stringify({ tag: "any" }) });
  assert.equal(earlier.status, 200, earlier.text);
  const { json: { invalidations } } = await isr.fetch("/__isr/invalidations", { headers: { ...own, cookie } });
  assert.ok(invalidations.every(({ everything }) => !everything), "nothing was invalidated");
});

test("a token in the header is used as before, whatever page sends it, and a wrong one is not replaced by a session", async () => {
  const cookie = await signIn();
  const headers = { "sec-fetch-site": "cross-site", authorization: `Bearer ${adminToken}` };
  assert.equal((await isr.fetch("/__isr/overview", { headers })).status, 200);
  assert.equal((await isr.fetch("/__isr/overview", { headers: { ...own, cookie, authorization: "Bearer wrong" } })).status, 401);
});

test("the origin never gets the session, and pages are served with it as without", async () => {
  const cookie = await signIn();
  for (const [sent, passed] of [[cookie, undefined], [`a=1; ${cookie}; b=2`, "a=1; b=2"], ["a=1", "a=1"]]) {
    for (const path of ["/by-url/x", "/by-binding/x"]) {
      const answer = await isr.fetch(path, { headers: { cookie: sent, "x-other": "kept" } });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual([answer.json.cookie, answer.json["x-other"]], [passed, "kept"], path);
    }
  }
  const page = await isr.lab("signed-in", {});
  await isr.fetch(page);
  assert.equal((await isr.fetch(page, { headers: { cookie } })).isr, "HIT");
  assert.equal((await isr.fetch(page, { headers: { cookie: `a=1; ${cookie}` } })).isr, "SKIP", "`*` stands for every other cookie");
});

test("a deployment that is misconfigured shows why", async () => {
  const broken = await start({ isr: { revalidate: "soon", routes: {} } });
  assert.equal((await broken.fetch("/__isr/")).status, 200);
  const signedIn = await broken.fetch("/__isr/session", { method: "POST", headers: own, body: JSON.stringify({ token: adminToken }) });
  assert.equal(signedIn.status, 200, signedIn.text);
  const headers = { ...own, cookie: signedIn.headers.get("set-cookie").split(";")[0] };
  const health = await broken.fetch("/__isr/health", { headers });
  assert.deepEqual([health.status, health.json.problems[0].code], [503, "misconfigured"]);
  assert.equal((await broken.fetch("/__isr/overview", { headers })).status, 500);
  await broken.kill();
});
