/** The origin reads the query that a visitor wrote, in the visitor's spelling. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

let origin, isr;

before(async () => {
  origin = await originOf(({ url }, response) => {
    if (url === "/load.php") return response.writeHead(200, { "content-type": "text/html" }).flushHeaders(), response.end();
    if (url === "/needs") return response.writeHead(500).end("no id");
    response.end(`page ${url}`);
  });
  isr = await gatewayFor(origin, { routes: {
    "/all/*": { query: "all" },
    "/named/*": { query: ["q", "wsdl"] },
    "/none/*": { query: "none" },
    "/single": {},
    "/load.php": {},
    "/needs": {},
    "/*": {},
  } });
});

for (const query of ["q=red%20lamp", "q=red+lamp", "wsdl", "wsdl=", "q=a%2Cb&q=c", "q=%C3%BC", "q=a%26b%3Dc", "q=", "q==a", "q=a/b?c:d@e"]) {
  test(`?${query} arrives as it was written, and is a page of its own`, async () => {
    for (const folder of ["all", "named"]) {
      const url = `/${folder}/spelling?${query}`;
      for (const outcome of ["MISS", "HIT"]) {
        const answer = await isr.fetch(url);
        assert.deepEqual([answer.isr, answer.text], [outcome, `page ${url}`]);
      }
    }
  });
}

test("with `query = \"all\"`, the order is the visitor's", async () => {
  for (const query of ["b=2&a=1&sig=x", "a=1&b=2&sig=x"]) {
    for (const outcome of ["MISS", "HIT"]) {
      const answer = await isr.fetch(`/all/signed?${query}`);
      assert.deepEqual([answer.isr, answer.text], [outcome, `page /all/signed?${query}`]);
    }
  }
});

test("spellings that mean the same by RFC 3986 are one page", async () => {
  assert.equal((await isr.fetch("/all/one?%61=%7eb&c=%c3%bc")).text, "page /all/one?a=~b&c=%C3%BC");
  assert.equal((await isr.fetch("/all/one?a=~b&c=%C3%BC")).isr, "HIT");
});

test("under a wildcard without `query`, unnamed parameters pass, and tracking parameters make no difference", async () => {
  assert.equal((await isr.fetch("/")).isr, "MISS");
  for (const url of ["/?s=lamp", "/?p=7", "/?p=7&utm_source=mail", "/any/where?x"]) {
    for (let n = 0; n < 2; n += 1) {
      const answer = await isr.fetch(url);
      assert.deepEqual([answer.isr, answer.cacheStatus.detail, answer.text], ["SKIP", "query", `page ${url}`]);
    }
  }
  for (const url of ["/?utm_source=mail", "/?gclid=1&fbclid=2", "/?"]) {
    const answer = await isr.fetch(url);
    assert.deepEqual([answer.isr, answer.text], ["HIT", "page /"], url);
  }
});

test("with `query = \"none\"`, or a route for one page, unnamed parameters make no difference", async () => {
  for (const path of ["/none/a", "/single"]) {
    assert.equal((await isr.fetch(`${path}?x=1`)).text, `page ${path}`);
    assert.equal((await isr.fetch(`${path}?y=2`)).isr, "HIT");
  }
});

test("where a render without the query fails, the visitor's own request passes", async () => {
  for (const path of ["/load.php", "/needs"]) {
    for (let n = 0; n < 3; n += 1) {
      const answer = await isr.fetch(`${path}?id=${n}`);
      assert.deepEqual([answer.status, answer.isr, answer.text], [200, "SKIP", `page ${path}?id=${n}`]);
    }
    assert.ok(origin.arrived(path).length <= 1 + 1, "renders are still held back");
  }
});
