/** Next.js answers one URL with HTML or with RSC data. HTML is cached, data passes, and the two are never mixed. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

const vary = "rsc, next-router-state-tree, next-router-prefetch, next-router-segment-prefetch, Accept-Encoding";
let isr, origin;

before(async () => {
  origin = await originOf(({ url, headers }, response) => {
    const isData = headers.rsc === "1";
    response.writeHead(200, { "content-type": isData ? "text/x-component" : "text/html; charset=utf-8", vary, "cache-control": "s-maxage=60, stale-while-revalidate=31535940" });
    response.end(isData ? `0:["data of ${url}"]` : `<html>${url}</html>`);
  });
  isr = await gatewayFor(origin, { routes: { "/*": {}, "/all/*": { query: "all" }, "/blog/[slug]": {} } });
});

const data = { rsc: "1", "next-router-state-tree": "%5B%22%22%5D", "next-url": "/" };

for (const path of ["/page", "/all/page?a=1", "/blog/post"]) {
  test(`${path}: HTML is a HIT, and data passes, with and without _rsc`, async () => {
    const withParameter = `${path}${path.includes("?") ? "&" : "?"}_rsc=1ab2c`;
    const isData = (answer) => assert.deepEqual([answer.isr, answer.headers.get("content-type")], ["SKIP", "text/x-component"]);
    const isPage = (answer, outcome) => assert.deepEqual([answer.isr, answer.headers.get("content-type"), answer.text], [outcome, "text/html; charset=utf-8", `<html>${path}</html>`]);
    // A prefetch is the first request of all.
    isData(await isr.fetch(withParameter, { headers: { ...data, "next-router-prefetch": "1" } }));
    isPage(await isr.untilStatus(path, "HIT"), "HIT");
    for (let n = 0; n < 2; n += 1) {
      isData(await isr.fetch(withParameter, { headers: data }));
      isData(await isr.fetch(path, { headers: data }));
      isPage(await isr.fetch(path), "HIT");
    }
    const pages = origin.seen.filter((request) => request.headers.rsc === undefined && request.url === path);
    assert.equal(pages.length, 1, "one render");
    assert.equal((await isr.stored(path.split("?")[0])).length, 1);
  });
}

test("the parameter alone makes no page where all parameters count", async () => {
  for (const value of ["a", "b"]) assert.deepEqual((await isr.fetch(`/all/none?_rsc=${value}`)).cacheStatus.detail, "query");
  assert.deepEqual(await isr.stored("/all/none"), []);
});

test("a visitor's browser is told what matters", async () => {
  await isr.fetch("/told");
  const names = (await isr.fetch("/told")).headers.get("vary").split(", ");
  assert.deepEqual(names, ["next-router-prefetch", "next-router-segment-prefetch", "next-router-state-tree", "rsc"]);
});
