/** A page with `Vary` is for requests without the headers that it names; the others get the origin's own response. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { colo, start, until } from "../harness.mjs";
import { gatewayFor, originOf } from "./origin.mjs";

let isr, origin;

const varies = {
  "/wagtail": "Cookie",
  "/django": "Accept-Encoding, Cookie",
  "/cors": "Origin",
  "/login": "authorization",
  "/hint": "Save-Data, Sec-CH-DPR",
  "/scheme": "X-Forwarded-Proto, Host",
  "/file.txt": "Cookie",
  "/all": "*",
  "/agent": "User-Agent",
  "/type": "Accept",
};
let count = 0;

before(async () => {
  origin = await originOf(({ url, headers }, response) => {
    const who = ["cookie", "origin", "authorization", "save-data", "rsc"].map((name) => headers[name]).find(Boolean) ?? "everybody";
    const vary = varies[url.split("?")[0]] ?? varies[`/${url.split("/")[1]}`] ?? "Cookie";
    response.writeHead(200, { "content-type": "text/html", vary, "cache-tag": "all" }).end(`${(count += 1)} for ${who}`);
  });
  isr = await gatewayFor(origin, { routes: { "/*": {}, "/brief/*": { revalidate: 1 }, "/listed/*": { vary: { cookie: { theme: ["dark"] } } } } });
});

for (const [path, name, value] of [
  ["/wagtail", "cookie", "sessionid=1"],
  ["/django", "cookie", "csrftoken=1; _ga=2"],
  ["/cors", "origin", "https://other.example"],
  ["/login", "authorization", "Basic YQ=="],
  ["/hint", "save-data", "on"],
  ["/file.txt", "cookie", "a=1"],
]) {
  test(`${path} varies by ${varies[path]}: with ${name} it passes, without it is served`, async () => {
    // The first request of all has the header: it must not spoil the page for the others.
    const first = await isr.fetch(path, { headers: { [name]: value } });
    assert.deepEqual([first.isr, first.cacheStatus.fwd, first.cacheStatus.detail], ["SKIP", "vary-miss", "vary"]);
    assert.match(first.text, new RegExp(`for ${value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`));
    assert.equal(origin.arrived(path).length, 2, "the page, and the visitor's own request");
    const others = await until("a HIT", async () => {
      const answer = await isr.fetch(path);
      return answer.isr === "HIT" && answer;
    });
    assert.match(others.text, /for everybody$/);
    for (let n = 0; n < 3; n += 1) {
      const own = await isr.fetch(path, { headers: { [name]: value } });
      assert.deepEqual([own.isr, own.cacheStatus.detail], ["SKIP", "vary"]);
      assert.doesNotMatch(own.text, /everybody/);
      const hit = await isr.fetch(path);
      assert.deepEqual([hit.isr, hit.text], ["HIT", others.text]);
      assert.ok(hit.headers.get("vary").toLowerCase().split(", ").includes(name), hit.headers.get("vary"));
    }
    assert.equal(origin.arrived(path).length, 5, "one render, and the visitor's own requests");
  });
}

test("host and scheme are part of the key", async () => {
  assert.equal((await isr.fetch("/scheme")).isr, "MISS");
  // The local runtime takes the scheme of the URL from X-Forwarded-Proto.
  const proxied = await isr.fetch("/scheme", { headers: { "x-forwarded-proto": "http", "x-forwarded-host": "evil.test" } });
  assert.deepEqual([proxied.isr, proxied.headers.get("vary")], ["HIT", null]);
});

for (const path of ["/all", "/agent", "/type"]) {
  test(`Vary: ${varies[path]} names what each request has: it is not stored`, async () => {
    const answers = [await isr.fetch(path), await isr.fetch(path)];
    assert.deepEqual(answers.map(({ isr, cacheStatus }) => [isr, cacheStatus.detail]), [["SKIP", "vary"], ["SKIP", "vary"]]);
    assert.deepEqual(await isr.stored(path), []);
  });
}

test("HEAD, conditions and ranges of a visitor with the header pass as well", async () => {
  const path = "/forms/a";
  const page = await isr.fetch(path);
  assert.deepEqual([page.isr, (await isr.fetch(path)).isr], ["MISS", "HIT"]);
  const etag = (await isr.fetch(path)).headers.get("etag");
  const conditional = { "if-none-match": etag };
  assert.equal((await isr.fetch(path, { headers: conditional })).status, 304);
  for (const [method, headers] of [["HEAD", {}], ["GET", conditional], ["GET", { range: "bytes=0-0" }]]) {
    const answer = await isr.fetch(path, { method, headers: { ...headers, cookie: "a=1" } });
    assert.deepEqual([answer.isr, answer.status], ["SKIP", 200], JSON.stringify({ method, headers }));
  }
});

test("a stale page is not for such a visitor either, and an invalidation reaches the page", async () => {
  const path = "/brief/a";
  assert.equal((await isr.fetch(path)).isr, "MISS");
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.deepEqual((await isr.fetch(path, { headers: { cookie: "a=1" } })).cacheStatus.detail, "vary");
  assert.equal((await isr.fetch(path)).isr, "STALE");

  const lasting = "/invalidated/a";
  await isr.fetch(lasting);
  await isr.revalidate({ path: lasting, mode: "expire" });
  assert.deepEqual((await isr.fetch(lasting, { headers: { cookie: "a=1" } })).cacheStatus.detail, "vary");
  const again = await isr.fetch(lasting);
  assert.equal(again.isr, "MISS");
  assert.match(again.text, /everybody/);
});

test("cookies that the route lists are variants, and the others make no difference", async () => {
  const path = "/listed/a";
  for (const cookie of ["theme=dark", "_ga=1", undefined]) {
    const answer = await isr.fetch(path, { headers: cookie ? { cookie } : {} });
    assert.match(answer.text, cookie === "theme=dark" ? /for theme=dark$/ : /for everybody$/);
    assert.equal(answer.isr, cookie === undefined ? "HIT" : "MISS");
  }
});

test("visitors with and without a cookie ask for a new page at the same time", async () => {
  const path = "/crowd/a";
  const visitor = (n) => isr.fetch(path, { headers: n % 2 ? { cookie: `id=${n}` } : {} });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => visitor(n)));
  for (const [n, answer] of answers.entries()) {
    assert.match(answer.text, n % 2 ? new RegExp(`for id=${n}$`) : /for everybody$/);
    assert.equal(n % 2 ? answer.isr : "MISS HIT".includes(answer.isr), n % 2 ? "SKIP" : true);
  }
  assert.equal(origin.arrived(path).length, 11, "one render, and ten visitors' own requests");
});

test("another colo knows from L2 whom the page is for, and has it in L1 for the others", async () => {
  const path = "/colo/a";
  const settings = { origin: origin.url, routes: { "/*": {} } };
  const first = await start({ origin: null, isr: settings, workers: [colo("second", settings)] });
  const page = await first.fetch(path);
  await until("it is in L2", async () => (await first.stored(path)).length > 0);
  const before = origin.arrived(path).length;
  const member = await first.ask("second", path, { headers: { cookie: "a=1" } });
  assert.deepEqual([member.isr, member.cacheStatus.detail, member.text.split(" for ")[1]], ["SKIP", "vary", "a=1"]);
  const hit = await until("L1", async () => {
    const answer = await first.ask("second", path);
    assert.deepEqual([answer.isr, answer.text], ["HIT", page.text]);
    return answer.cacheStatus.detail === undefined && answer;
  });
  assert.equal(hit.headers.get("vary"), "cookie");
  assert.equal(origin.arrived(path).length, before + 1, "the visitor's own request");
});
