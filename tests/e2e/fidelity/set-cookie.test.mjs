/** A response that sets a cookie is for one visitor, unless somebody declares that it is for all. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

let isr;

const answers = {
  "/form": { "set-cookie": "csrf=1" },
  "/logout": { "set-cookie": "session=; max-age=0", "cache-control": "max-age=60" },
  "/two": { "set-cookie": ["a=1", "b=2"] },
  "/cleared": { "clear-site-data": '"cookies"', "cache-control": "public, s-maxage=60" },
  "/public": { "set-cookie": "a=1", "cache-control": "public" },
  "/shared": { "set-cookie": "a=1", "cache-control": "s-maxage=60" },
  "/targeted": { "set-cookie": "a=1", "cdn-cache-control": "max-age=60" },
  "/own": { "set-cookie": "a=1", "x-isr-revalidate": "60" },
  "/stripped/a": { "set-cookie": "a=1" },
};

before(async () => {
  let count = 0;
  const origin = await originOf(({ url }, response) => response.writeHead(200, answers[url]).end(`answer ${(count += 1)}`));
  isr = await gatewayFor(origin, { routes: { "/*": {}, "/stripped/*": { set_cookie: "strip" } } });
});

for (const path of ["/form", "/logout", "/two", "/cleared"]) {
  test(`${path} passes with its headers, and is each visitor's own`, async () => {
    const [one, other] = [await isr.fetch(path), await isr.fetch(path)];
    assert.deepEqual([one.isr, one.cacheStatus.detail, other.isr], ["SKIP", "set-cookie", "SKIP"]);
    assert.notEqual(one.text, other.text);
    const cookies = [answers[path]["set-cookie"] ?? []].flat();
    for (const { headers } of [one, other]) {
      assert.deepEqual(headers.getSetCookie(), cookies);
      assert.equal(headers.get("clear-site-data"), answers[path]["clear-site-data"] ?? null);
    }
    assert.deepEqual(await isr.stored(path), []);
  });
}

for (const path of ["/public", "/shared", "/targeted", "/own", "/stripped/a"]) {
  test(`${path} is declared to be for all, and is stored without its cookie`, async () => {
    const [miss, hit] = [await isr.fetch(path), await isr.fetch(path)];
    assert.deepEqual([miss.isr, hit.isr, hit.text], ["MISS", "HIT", miss.text]);
    for (const { headers } of [miss, hit]) assert.deepEqual(headers.getSetCookie(), []);
  });
}
