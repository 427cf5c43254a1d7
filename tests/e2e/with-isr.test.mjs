/** The cache in front of a Worker's own handler: `withIsr`, and `origin = "self"`. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { bypassToken, config, start, until } from "./harness.mjs";

const caller = {
  name: "caller",
  modules: [{
    type: "ESModule",
    path: "caller.mjs",
    contents: `export default { async fetch(request, env) {
      if (new URL(request.url).pathname === "/greet") return Response.json(await env.OWN_CLASS.greet("you"));
      return Response.json(await env.OWN.revalidateTag("own"));
    } };`,
  }],
  compatibilityDate: "2026-11-01",
  serviceBindings: { OWN: "cloudflare-isr", OWN_CLASS: { name: "cloudflare-isr", entrypoint: "OwnClass" } },
};

let isr;
before(async () => {
  isr = await start({ isr: config({ origin: "self", log: "requests" }), origin: null, main: ["tests/e2e/own-site.mjs"], workers: [caller] });
});

test("a page is rendered once by the handler, and then comes from the cache", async () => {
  const first = await isr.fetch("/blog/a", { headers: { cookie: "me=1", "x-mine": "yes" } });
  assert.deepEqual([first.status, first.isr, first.render], [200, "MISS", 1]);
  // Nothing of the visitor is in the request whose answer is shared.
  assert.deepEqual([first.json.headers.cookie, first.json.headers["x-mine"], first.json.props.isr], [undefined, undefined, "render"]);
  for (let n = 0; n < 3; n += 1) {
    const again = await isr.fetch("/blog/a");
    assert.deepEqual([again.isr, again.render], ["HIT", 1]);
    assert.ok(again.body.equals(first.body));
    // How the page asked to be kept is not a visitor's.
    assert.equal(again.headers.get("x-isr-revalidate"), null);
  }
  const crowd = await Promise.all(Array.from({ length: 20 }, () => isr.fetch("/blog/crowd")));
  assert.ok(crowd.every(({ render }) => render === 1));
});

test("the log has a line for a MISS, and none for a HIT", async () => {
  const lines = () => isr.logs.filter((line) => line.includes('"isr request"') && line.includes('"/blog/logged"'));
  for (const status of ["MISS", "HIT", "HIT"]) assert.equal((await isr.fetch("/blog/logged")).isr, status);
  await until("the line", () => lines().length > 0);
  const [line, ...others] = lines().map((line) => JSON.parse(line.slice(line.indexOf("{"))));
  assert.deepEqual([line.outcome, line.route, line.status, others.length], ["MISS", "/blog/[slug]", 200, 0]);
});

test("an invalidation by RPC reaches the page", async () => {
  const before = await isr.fetch("/blog/rpc");
  const receipt = (await isr.ask("caller", "/")).json;
  assert.ok(receipt.pages.matched >= 1, JSON.stringify(receipt));
  const after = await isr.fetch("/blog/rpc");
  assert.deepEqual([before.render, after.isr, after.render], [1, "MISS", 2]);
  // By its props a cache in front of the handler tells this render from the one before: it can't answer with the old page.
  assert.notDeepEqual(before.json.props, after.json.props);
});

test("what is no page passes to the handler as it is, but for headers of the inside", async () => {
  const headers = { "x-isr-bypass": "wrong", "x-middleware-subrequest": "1", "x-isr-meta": "x", cookie: "me=1", "x-mine": "yes" };
  const answer = await isr.fetch("/elsewhere", { method: "POST", headers, body: "hello" });
  const seen = answer.json;
  assert.deepEqual([answer.status, seen.method, seen.text, seen.headers.cookie, seen.headers["x-mine"]], [200, "POST", "hello", "me=1", "yes"]);
  for (const name of ["x-middleware-subrequest", "x-isr-meta", "x-isr-bypass"]) assert.equal(seen.headers[name], undefined, name);
  assert.equal(seen.props?.isr, undefined);
  assert.equal(answer.headers.get("x-isr-revalidate"), null);
});

test("no header makes a visitor's request a render", async () => {
  for (const headers of [{ isr: "render" }, { "x-isr-render": "1" }, { props: '{"isr":"render"}' }]) {
    const answer = await isr.fetch("/blog/no-render", { headers });
    assert.ok(["MISS", "HIT"].includes(answer.isr));
  }
});

test("a page that has opted out, and a draft, are the handler's own answers", async () => {
  const skipped = [await isr.fetch("/blog/opted-out"), await isr.fetch("/blog/opted-out")];
  assert.ok(skipped.every((answer) => answer.isr === "SKIP"));
  assert.ok(skipped[1].render > skipped[0].render);
  const draft = await isr.fetch("/blog/a", { headers: { "x-isr-bypass": bypassToken, cookie: "me=1" } });
  assert.deepEqual([draft.isr, draft.json.headers.cookie, draft.headers.get("cache-control")], ["BYPASS", "me=1", "private, no-store"]);
});

test("a failing handler costs nobody the page, and what it throws is its own", async () => {
  const failed = await isr.fetch("/blog/fails");
  assert.deepEqual([failed.status, failed.text], [500, "failed"]);
  assert.equal((await isr.fetch("/throws")).status, 500);
});

test("a class as handler keeps its own methods; events reach the handler", async () => {
  assert.equal((await isr.ask("caller", "/greet")).json, "hello you");
  const worker = await isr.worker();
  await worker.scheduled({ cron: "* * * * *" });
  await until("the event", async () => (await isr.fetch("/scheduled")).text === "1");
});

test("the gateway alone says what is missing", async () => {
  const alone = await start({ isr: config({ origin: "self" }), origin: null });
  const answer = await alone.fetch("/blog/a");
  assert.deepEqual([answer.status, answer.json.error.code], [500, "no_handler"]);
  assert.match(answer.json.error.message, /withIsr\(handler\)/);
});
