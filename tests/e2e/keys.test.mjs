/** The identity of a page: slashes, hosts and parameters that do not matter, and variants that do. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { config, start } from "./harness.mjs";

const vary = {
  language: ["en", "de"],
  device: ["desktop", "mobile"],
  cookie: { theme: ["dark", "light"] },
  header: { "x-ab": ["a", "b"] },
};

let isr;
before(async () => {
  const routes = {
    "/lab/[name]": {},
    "/lab/redirect": { trailing_slash: "redirect" },
    "/lab/stripped": { trailing_slash: "strip" },
    "/lab/all": { query: "all" },
    "/lab/varied": { vary },
  };
  isr = await start({ isr: config({ hosts: ["isr.test", "*.isr.test"] }, routes) });
});

const asked = async (path, headers = {}, options = {}) => {
  const { isr: status, render, cacheStatus, headers: got } = await isr.fetch(path, { headers, ...options });
  return { status, render, detail: cacheStatus?.detail, vary: got.get("vary") };
};

test("variants: each combination of the listed values is a page of its own, and nothing else makes another", async () => {
  const path = await isr.lab("varied", { headers: { "X-ISR-Revalidate": "false", Vary: "Cookie, Accept-Language" } });
  const first = await asked(path);
  assert.deepEqual([first.status, first.render], ["MISS", 1]);
  assert.equal(first.vary, "accept-language, user-agent, sec-ch-ua-mobile, cookie, x-ab");
  const same = [{ "accept-language": "fr, en;q=0.1" }, { cookie: "session=1; theme=purple" }, { "x-ab": "c" }, { "user-agent": "Mozilla/5.0 (X11)" }];
  for (const headers of same) assert.deepEqual([(await asked(path, headers)).status, (await asked(path, headers)).render], ["HIT", 1]);

  const others = [
    { "accept-language": "de-AT" }, { cookie: "a=1; theme=dark" }, { "x-ab": "b" }, { "user-agent": "Mozilla/5.0 (iPhone) Mobile" },
    { "accept-language": "de", cookie: "theme=light", "x-ab": "a", "sec-ch-ua-mobile": "?1" },
  ];
  for (const [number, headers] of others.entries()) {
    assert.deepEqual([(await asked(path, headers)).status, (await asked(path, headers)).status], ["MISS", "HIT"], JSON.stringify(headers));
    assert.equal((await asked(path, headers)).render, number + 2);
  }
  const inspected = await isr.revalidate({ path });
  assert.equal(inspected.json.invalidations[0].pages.matched, 1 + others.length, "a path is all of its variants");
  for (const headers of [{}, ...others]) assert.equal((await asked(path, headers)).status, "MISS");
});

test("a Vary by what each request has, and the route does not list, makes the page unstorable", async () => {
  const path = await isr.lab("kept-vary", { headers: { Vary: "User-Agent" } });
  assert.deepEqual([(await asked(path)).status, (await asked(path)).detail], ["SKIP", "vary"]);
});

test("a slash at the end: no difference, another page, or a redirect", async () => {
  await isr.lab("stripped", {});
  assert.deepEqual([(await asked("/lab/stripped/")).status, (await asked("/lab/stripped")).status], ["MISS", "HIT"]);
  await isr.lab("kept-slash", {});
  for (const status of ["MISS", "HIT"]) {
    assert.deepEqual([(await asked("/lab/kept-slash/")).status, (await asked("/lab/kept-slash")).status], [status, status]);
  }

  const moved = await isr.fetch("/lab/redirect/?a=%20b");
  assert.deepEqual([moved.status, moved.headers.get("location")], [308, "/lab/redirect?a=%20b"]);
  const elsewhere = await isr.fetch("//evil.example/lab/redirect/");
  assert.notEqual(elsewhere.headers.get("location")?.slice(0, 2), "//");
});

test("where all parameters count, those that track visitors do not", async () => {
  const path = await isr.lab("all", {});
  assert.equal((await asked(`${path}?b=2&a=1`)).status, "MISS");
  assert.equal((await asked(`${path}?utm_source=x&b=2&fbclid=y&a=1&gclid=z`)).status, "HIT");
  assert.equal((await asked(`${path}?a=1&b=2`)).status, "MISS", "the order may be signed");
  assert.equal((await asked(`${path}?a=1&b=3`)).status, "MISS");
});

test("a host that is not among those of the configuration is not cached", async () => {
  const path = await isr.lab("kept-host", {});
  for (const visitedHost of ["evil.example", "evilisr.test", "isr.test.evil.example"]) {
    const answers = [await asked(path, {}, { visitedHost }), await asked(path, {}, { visitedHost })];
    assert.deepEqual(answers.map(({ status, detail }) => [status, detail]), [["SKIP", "host"], ["SKIP", "host"]], visitedHost);
  }
  assert.equal((await asked(path, {}, { visitedHost: "www.isr.test" })).status, "MISS");
  assert.equal((await asked(path, {}, { visitedHost: "isr.test" })).status, "MISS");
});
