/** Empty bodies. What the origin announces as empty is content; an empty HTML page that it does not announce is a failure. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

let origin, isr;

const gzip = { "content-encoding": "gzip", "content-length": "0" };
/** Without a length, Node.js sends an empty body in chunks. */
const answers = {
  "/moved": [301, { location: "/new/a", ...gzip }],
  "/found": [302, { location: "/new/a", ...gzip }],
  "/robots.txt": [200, { "content-type": "text/plain", "content-length": "0" }],
  "/blank.css": [200, { "content-type": "text/css", ...gzip }],
  "/blank.html": [200, { "content-type": "text/html", "content-length": "0" }],
  "/blank.js": [200, { "content-type": "text/javascript" }],
  "/gone": [410, gzip],
  "/white": [200, { "content-type": "text/html; charset=utf-8" }],
  "/white-xhtml": [200, { "content-type": "application/xhtml+xml" }],
};

before(async () => {
  origin = await originOf(({ url }, response) => {
    const path = Object.keys(answers).find((path) => url === path || url.startsWith(`${path}/`));
    const [status, headers] = answers[path] ?? [200, { "content-type": "text/html" }];
    response.writeHead(status, headers);
    if (path === undefined) response.write("a page");
    else if (!("content-length" in headers)) response.flushHeaders();
    response.end();
  });
  isr = await gatewayFor(origin);
});

for (const [path, status] of [["/moved", 301], ["/robots.txt", 200], ["/blank.css", 200], ["/blank.html", 200], ["/blank.js", 200], ["/gone", 410]]) {
  test(`${path}, ${status}: stored, and served empty and without a coding`, async () => {
    const [miss, hit] = [await isr.fetch(path), await isr.fetch(path)];
    for (const answer of [miss, hit]) {
      const { headers } = answer;
      assert.deepEqual(
        [answer.status, answer.text, headers.get("content-encoding"), headers.get("location")],
        [status, "", null, answers[path][1].location ?? null],
      );
    }
    assert.deepEqual([miss.isr, hit.isr], ["MISS", "HIT"]);
    assert.equal(origin.arrived(path).length, 1);
    const head = await isr.fetch(path, { method: "HEAD" });
    assert.deepEqual([head.status, head.isr], [status, "HIT"]);
  });
}

test("a passed answer that is announced as empty, with a coding, arrives empty", async () => {
  for (let n = 0; n < 2; n += 1) {
    const answer = await isr.fetch("/found");
    assert.deepEqual([answer.status, answer.isr, answer.text, answer.headers.get("location")], [302, "SKIP", "", "/new/a"]);
  }
});

test("many empty files are no reason to stop asking the origin", async () => {
  for (let n = 0; n < 10; n += 1) assert.equal((await isr.fetch(`/robots.txt/${n}`)).status, 200);
  const answer = await isr.fetch("/cold");
  assert.deepEqual([answer.status, answer.isr, answer.text], [200, "MISS", "a page"]);
});

for (const path of ["/white", "/white-xhtml"]) {
  test(`${path}: an unannounced empty HTML page is a failure and is not stored`, async () => {
    const answer = await isr.fetch(path);
    assert.deepEqual([answer.isr, answer.cacheStatus.detail], ["SKIP", "site-error"]);
    assert.deepEqual(await isr.stored(path), []);
  });
}
