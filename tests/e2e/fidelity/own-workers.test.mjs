/** The same rules for a Worker with the cache in front of its own handler, and for one that renders pages itself. */
import assert from "node:assert/strict";
import path from "node:path";
import { before, test } from "node:test";

import { config, host, root, start } from "../harness.mjs";

const renderer = {
  name: "renderer",
  rootPath: root,
  modulesRoot: ".",
  modules: [{ type: "ESModule", path: path.join("tests/e2e", "renderer.mjs") }],
  compatibilityDate: "2026-11-01",
  serviceBindings: { ISR: "cloudflare-isr" },
};
const settings = { bypass_cookies: ["member"], routes: { "/*": { bypass_cookies: [] }, "/bypass/*": {} } };

let own, caller;
before(async () => {
  own = await start({ isr: { origin: "self", ...settings }, origin: null, main: ["tests/e2e/fidelity/own-handler.mjs"] });
  caller = await start({ isr: { ...config(), ...settings }, workers: [renderer] });
});

test("withIsr: a page with Vary: Cookie is for visitors without one", async () => {
  const first = await own.fetch("/varied/a", { headers: { cookie: "a=1" } });
  assert.deepEqual([first.isr, first.cacheStatus.detail, first.text], ["SKIP", "vary", "for a=1"]);
  for (let n = 0; n < 3; n += 1) {
    const hit = await own.untilStatus("/varied/a", "HIT");
    assert.deepEqual([hit.text, hit.headers.get("vary")], ["for everybody", "cookie"]);
    const mine = await own.fetch("/varied/a", { headers: { cookie: "a=1" } });
    assert.deepEqual([mine.isr, mine.text], ["SKIP", "for a=1"]);
  }
});

test("withIsr: bypass_cookies, tags and empty bodies", async () => {
  assert.equal((await own.fetch("/bypass/a")).isr, "MISS");
  assert.equal((await own.fetch("/bypass/a", { headers: { cookie: "x=1" } })).isr, "HIT");
  const member = await own.fetch("/bypass/a", { headers: { cookie: "member=1" } });
  assert.deepEqual([member.isr, member.cacheStatus.detail, member.text], ["SKIP", "bypass-cookie", "for member=1"]);
  await own.revalidate({ tag: "t-119", mode: "expire" });
  assert.equal((await own.fetch("/bypass/a")).isr, "MISS");
  const blank = [await own.fetch("/blank.css"), await own.fetch("/blank.css")];
  assert.deepEqual(blank.map(({ isr, status, text }) => [isr, status, text]), [["MISS", 200, ""], ["HIT", 200, ""]]);
});

const call = async (what) => (await caller.ask("renderer", "/", { method: "POST", body: JSON.stringify(what) })).json;

test("lookup and store: a page with Vary: Cookie is stored, and a visitor with a cookie is told to pass", async () => {
  const url = `http://${host}/varied/b`;
  const { ticket, request } = await call({ lookup: url, method: "GET", headers: { cookie: "a=1" } });
  assert.equal(request.headers.cookie, undefined);
  const tags = Array.from({ length: 1000 }, (_, n) => `t-${n}`);
  const stored = await call({ store: ticket, response: { status: 200, body: "page", headers: { vary: "Cookie", "content-type": "text/html" } }, settings: { tags } });
  assert.deepEqual(stored, { stored: true, reason: null });
  const hit = await call({ lookup: url });
  assert.deepEqual([hit.status, hit.response.body, hit.response.headers.vary], ["HIT", "page", "cookie"]);
  assert.deepEqual(await call({ lookup: url, method: "GET", headers: { cookie: "a=1" } }), { status: "SKIP", reason: "vary" });
  await caller.revalidate({ tag: "t-999", mode: "expire" });
  assert.equal((await call({ lookup: url })).status, "MISS");
});

test("lookup: a visitor with one of `bypass_cookies` is told to pass, and gets no lease", async () => {
  const asked = { lookup: `http://${host}/bypass/c`, method: "GET", headers: { cookie: "member=1" } };
  assert.deepEqual(await call(asked), { status: "SKIP", reason: "bypass-cookie" });
});

test("store: an empty file is a page", async () => {
  const url = `http://${host}/blank.css`;
  const { ticket } = await call({ lookup: url });
  assert.equal((await call({ store: ticket, response: { status: 200, headers: { "content-type": "text/css" } } })).stored, true);
  assert.deepEqual([(await call({ lookup: url })).status, (await call({ lookup: url })).response.body], ["HIT", ""]);
});
