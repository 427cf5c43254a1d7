/** An isolate that lives on while bindings change: what was derived from the old `env` does not hold for the new one. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { adminToken, bypassToken, config, start } from "./harness.mjs";

const forever = { "X-ISR-Revalidate": "false" };
const lab = { "/lab/[name]": { revalidate: false } };

let isr;
before(async () => {
  isr = await start({ isr: config({ revalidat: 5 }), main: ["tests/e2e/bindings.mjs"] });
});

/** Has the platform change variables and secrets; without any, there is only another `env` object. */
async function bind(bindings = {}) {
  const answer = await isr.fetch("/bindings", { method: "PUT", body: JSON.stringify(bindings) });
  assert.equal(answer.status, 200, answer.text);
}

/** The outcomes of requests one after another. The second HIT has taken the short path. */
async function outcomes(pathAndQuery, times, options) {
  const answers = [];
  for (let time = 0; time < times; time += 1) answers.push((await isr.fetch(pathAndQuery, options)).isr);
  return answers;
}

test("a configuration that is corrected takes effect, and one that is broken does as well", async () => {
  const path = await isr.lab("corrected", { headers: forever });
  for (let time = 0; time < 3; time += 1) {
    const answer = await isr.fetch(path);
    assert.deepEqual([answer.status, answer.json.error.code], [500, "misconfigured"]);
  }
  await bind({ ISR: config({}, lab) });
  assert.deepEqual(await outcomes(path, 4), ["MISS", "HIT", "HIT", "HIT"]);

  await bind({ ISR: config({ expire: -1 }) });
  const broken = [await isr.fetch(path), await isr.fetch(path)];
  assert.deepEqual(broken.map(({ status }) => status), [500, 500]);
  assert.match(broken[1].json.error.problems.join(), /ISR\.expire/);
  await bind({ ISR: config({}, lab) });
  assert.deepEqual(await outcomes(path, 2), ["HIT", "HIT"]);
});

test("a token that is revoked stops working, and the one in its place works", async () => {
  await bind({ ISR: config({}, lab), ISR_ADMIN_TOKEN: adminToken, ISR_BYPASS_TOKEN: bypassToken });
  const path = await isr.lab("revoked", { headers: forever });
  const draft = (token) => outcomes(path, 1, { headers: { "x-isr-bypass": token } });
  const admin = async (token) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await isr.fetch("/__isr/revalidate", { method: "POST", headers, body: '{"tag":"none"}' })).status;
  };
  await outcomes(path, 2);
  assert.deepEqual([await draft(bypassToken), await admin(adminToken)], [["BYPASS"], 200]);

  await bind({ ISR_ADMIN_TOKEN: "another-admin-token-of-the-tests", ISR_BYPASS_TOKEN: "another-token-of-the-tests" });
  assert.deepEqual([await draft(bypassToken), await admin(adminToken)], [["HIT"], 401]);
  assert.deepEqual([await draft("another-token-of-the-tests"), await admin("another-admin-token-of-the-tests")], [["BYPASS"], 200]);

  await bind({ ISR_ADMIN_TOKEN: "", ISR_BYPASS_TOKEN: "" });
  assert.deepEqual([await draft("another-token-of-the-tests"), await admin("another-admin-token-of-the-tests")], [["HIT"], 404]);
});

test("hosts, parameters and lifetimes that are changed count on both paths", async () => {
  const path = await isr.lab("changed", { headers: { "X-ISR-Revalidate": "" } });
  await bind({ ISR: config({}, lab) });
  assert.deepEqual(await outcomes(`${path}?page=1`, 3), ["MISS", "HIT", "HIT"]);

  await bind({ ISR: config({ hosts: ["elsewhere.test"] }, lab) });
  assert.deepEqual(await outcomes(`${path}?page=1`, 3), ["SKIP", "SKIP", "SKIP"], "no page of this cache");

  await bind({ ISR: config({}, { "/lab/[name]": { revalidate: false, query: ["page"] } }) });
  assert.deepEqual(await outcomes(`${path}?page=1`, 3), ["MISS", "HIT", "HIT"], "a page of its own");

  await bind({ ISR: config({}, { "/lab/[name]": { revalidate: 0 } }) });
  const shown = async () => (await isr.fetch(path)).headers.get("x-isr-status");
  assert.equal(await shown(), "SKIP", "nothing of this route is stored");
  await bind({ ISR: config({ expose_headers: false }, lab) });
  assert.deepEqual([await shown(), await shown()], [null, null], "also by the plan of the short path");
});

test("with an object of its own for each request, everything is right, and invalidations stay known", async () => {
  await bind({ ISR: config({ freshness_bound: 300 }, lab), ISR_ADMIN_TOKEN: adminToken, fresh: true });
  const path = await isr.lab("fresh", { headers: { ...forever, "Cache-Tag": "fresh-object" } });
  assert.deepEqual(await outcomes(path, 10), ["MISS", ...Array(9).fill("HIT")]);
  assert.equal((await isr.revalidate({ tag: "fresh-object" })).status, 200);
  // The next poll is minutes away: the isolate knows of it because the call passed through it.
  const after = await isr.fetch(path);
  assert.deepEqual([after.isr, after.render], ["MISS", 2]);
  await bind({ ISR_BYPASS_TOKEN: "a-token-of-fresh-objects", fresh: true });
  assert.deepEqual(await outcomes(path, 2, { headers: { "x-isr-bypass": "a-token-of-fresh-objects" } }), ["BYPASS", "BYPASS"]);
});

test("an invalidation that reaches an object is known to the edge of its isolate under another env", async () => {
  await bind({ ISR: config({ freshness_bound: 300 }, lab) });
  const path = await isr.lab("object", { headers: { ...forever, "Cache-Tag": "through-an-object" } });
  assert.deepEqual(await outcomes(path, 3), ["MISS", "HIT", "HIT"]);
  await bind();
  assert.equal((await isr.revalidate({ tag: "through-an-object" })).status, 200);
  await bind();
  assert.deepEqual(await outcomes(path, 2), ["MISS", "HIT"]);
});
