/** An origin by URL learns which host and scheme the visitor asked for: from the key, or from the request's own URL. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

let origin, isr;

before(async () => {
  origin = await originOf(({ url, headers }, response) => {
    if (url.startsWith("/passed")) response.setHeader("cache-control", "private");
    response.end(`page of ${headers["x-forwarded-host"] ?? headers.host}`);
  });
  isr = await gatewayFor(origin, { settings: { hosts: ["a.test", "b.test"] } });
});

const told = (url) => origin.arrived(url).map(({ headers }) => [headers["x-forwarded-host"], headers["x-forwarded-proto"], headers.forwarded]);

test("each host gets its page", async () => {
  for (const outcome of ["MISS", "HIT"]) {
    for (const visitedHost of ["a.test", "b.test"]) {
      const answer = await isr.fetch("/page", { visitedHost });
      assert.deepEqual([answer.isr, answer.text], [outcome, `page of ${visitedHost}`]);
    }
  }
  assert.deepEqual(told("/page"), ["a.test", "b.test"].map((host) => [host, "http", `host=${host};proto=http`]));
});

test("passed requests carry them as well: a form, a private page, a page of another host", async () => {
  const form = await isr.fetch("/form", { method: "POST", body: "a=b", visitedHost: "a.test" });
  assert.equal(form.text, "page of a.test");
  const privately = await isr.fetch("/passed", { visitedHost: "b.test" });
  assert.deepEqual([privately.isr, privately.text], ["SKIP", "page of b.test"]);
  assert.equal((await isr.fetch("/other", { visitedHost: "c.test" })).text, "page of c.test");
  assert.deepEqual(told("/form"), [["a.test", "http", "host=a.test;proto=http"]]);
});

test("a port is a part of the host", async () => {
  await isr.fetch("/port", { method: "POST", visitedHost: "a.test:8080" });
  assert.deepEqual(told("/port"), [["a.test:8080", "http", 'host="a.test:8080";proto=http']]);
});

test("a visitor's own headers about host and scheme reach the origin in no request", async () => {
  const names = ["x-forwarded-host", "x-forwarded-proto", "forwarded", "x-forwarded-port", "x-forwarded-scheme", "x-forwarded-ssl", "x-forwarded-server", "x-forwarded-prefix", "x-host", "x-original-host"];
  const headers = Object.fromEntries(names.map((name) => [name, "evil.test"]));
  for (const [path, method] of [["/forged", "POST"], ["/passed/forged", "GET"], ["/stored/forged", "GET"]]) {
    assert.equal((await isr.fetch(path, { method, headers, visitedHost: "a.test" })).text, "page of a.test");
  }
  const forged = origin.seen.filter(({ url }) => url.endsWith("/forged"));
  assert.ok(forged.length >= 3);
  assert.doesNotMatch(JSON.stringify(forged), /evil/);
});

test("with `canonical_origin`, renders name its host and scheme, and passed requests the visitor's", async () => {
  const canonical = await gatewayFor(origin, { settings: { canonical_origin: "https://a.test" } });
  assert.equal((await canonical.fetch("/canonical", { visitedHost: "www.a.test" })).text, "page of a.test");
  await canonical.fetch("/canonical", { method: "POST", visitedHost: "www.a.test" });
  assert.deepEqual(told("/canonical"), [
    ["a.test", "https", "host=a.test;proto=https"],
    ["www.a.test", "http", "host=www.a.test;proto=http"],
  ]);
});

test("`render_headers` take precedence in renders", async () => {
  const render_headers = { "X-Forwarded-Proto": "https" };
  const configured = await gatewayFor(origin, { settings: { render_headers } });
  await configured.fetch("/configured", { visitedHost: "a.test" });
  assert.equal(told("/configured")[0][1], "https");
});
