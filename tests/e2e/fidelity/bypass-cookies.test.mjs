/** `bypass_cookies`: a visitor with such a cookie gets the origin's own response, everybody else the stored page. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

let isr, origin;

before(async () => {
  origin = await originOf(({ url, headers }, response) => {
    const vary = url.startsWith("/varied") ? { vary: "Cookie" } : {};
    response.writeHead(200, { "content-type": "text/html", ...vary }).end(`for ${headers.cookie ?? "everybody"}`);
  });
  isr = await gatewayFor(origin, {
    settings: { bypass_cookies: ["wordpress_logged_in_*", "sessionid"] },
    routes: { "/*": {}, "/shop/*": { bypass_cookies: ["cart"] }, "/open/*": { bypass_cookies: [] }, "/any/*": { bypass_cookies: ["*"] } },
  });
});

for (const [path, cookie, passes] of [
  ["/a", "sessionid=1", true],
  ["/a", "_ga=GA1.2; sessionid=1; theme=dark", true],
  ["/a", "wordpress_logged_in_3f=admin%7C1", true],
  ["/a", "sessionid=", true],
  ["/a", "_ga=GA1.2; theme=dark", false],
  ["/a", "mysessionid=1; sessionid2=1", false],
  ["/a", "theme=sessionid", false],
  ["/a", "wordpress_test_cookie=wordpress_logged_in", false],
  ["/shop/a", "cart=1", true],
  ["/shop/a", "sessionid=1", false],
  ["/open/a", "sessionid=1", false],
  ["/any/a", "x=1", true],
  ["/varied/a", "sessionid=1", true],
  ["/varied/a", "_ga=1", false],
]) {
  test(`${path} with ${cookie} ${passes ? "passes" : "is a HIT"}`, async () => {
    await isr.fetch(path);
    await isr.untilStatus(path, "HIT");
    // Twice on the short path, once on the long one.
    for (const headers of [{ cookie }, { cookie }, { cookie, "if-modified-since": "Sun, 06 Nov 1994 08:49:37 GMT" }]) {
      const answer = await isr.fetch(path, { headers });
      assert.deepEqual([answer.isr, answer.text], passes ? ["SKIP", `for ${cookie}`] : ["HIT", "for everybody"]);
      if (passes) assert.deepEqual([answer.cacheStatus.fwd, answer.cacheStatus.detail], ["bypass", "bypass-cookie"]);
      assert.equal(answer.headers.get("cache-control"), passes ? "private, no-store" : "public, max-age=0, must-revalidate");
    }
    const hit = await isr.fetch(path);
    assert.deepEqual([hit.isr, hit.text, hit.headers.get("vary")], ["HIT", "for everybody", path.startsWith("/open") ? null : "cookie"]);
  });
}

test("such a visitor's request renders nothing", async () => {
  const answer = await isr.fetch("/new", { headers: { cookie: "sessionid=1" } });
  assert.deepEqual([answer.isr, origin.arrived("/new").length], ["SKIP", 1]);
  assert.deepEqual((await isr.fetch("/new")).isr, "MISS");
});

test("a name that no cookie can have is a mistake in the configuration", async () => {
  const wrong = await gatewayFor(origin, { settings: { bypass_cookies: ["a b"] } });
  const { status, json } = await wrong.fetch("/a");
  assert.equal(status, 500);
  assert.match(json.error.problems[0], /bypass_cookies/);
});
