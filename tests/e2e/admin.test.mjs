/** The admin API explains, in JSON, what is wrong with a call, and reveals nothing else. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { adminToken, start } from "./harness.mjs";

let isr;
before(async () => (isr = await start()));

const json = JSON.stringify;
const authorization = `Bearer ${adminToken}`;

/** [what, body, the rest of the request, status, code, what the message says] */
const refused = [
  ["broken JSON", '{"path": ', {}, 400, "invalid_argument", /body is not JSON/],
  ["no body", undefined, {}, 400, "invalid_argument", /body/],
  ["not UTF-8", Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), {}, 400, "invalid_argument", /not JSON/],
  ["a list", "[]", {}, 400, "invalid_argument", /give a JSON object/],
  ["null", "null", {}, 400, "invalid_argument", /give a JSON object/],
  ["no field", "{}", {}, 400, "invalid_argument", /name what to invalidate/],
  ["an unknown field", json({ path: "/", labels: ["a"] }), {}, 400, "invalid_argument", /unknown field "labels"/],
  ["a path of a wrong type", json({ path: 5 }), {}, 400, "invalid_argument", /`path` must be a string/],
  ["a tag that is null", json({ tag: null }), {}, 400, "invalid_argument", /`tag` must be a string/],
  ["a list of tags", json({ tag: ["a"] }), {}, 400, "invalid_argument", /`tag` must be a string/],
  ["an empty tag", json({ tag: "" }), {}, 400, "invalid_argument", /tag must not be empty/],
  ["a tag with a comma", json({ tag: "a,b" }), {}, 400, "invalid_argument", /comma/],
  ["a tag with a space at its end", json({ tag: " a" }), {}, 400, "invalid_argument", /white space/],
  ["a tag with a control character", json({ tag: "t\u0001g" }), {}, 400, "invalid_argument", /control character/],
  ["a path without a slash", json({ path: "blog" }), {}, 400, "invalid_argument", /must begin with `\/`/],
  ["a whole URL", json({ path: "https://isr.test/" }), {}, 400, "invalid_argument", /must begin with `\/`/],
  ["an empty path", json({ path: "" }), {}, 400, "invalid_argument", /must begin with `\/`/],
  ["a path with a query", json({ path: "/blog?page=1" }), {}, 400, "invalid_argument", /without query/],
  ["a path with a fragment", json({ path: "/blog#top" }), {}, 400, "invalid_argument", /without query and fragment/],
  ["a path with broken encoding", json({ path: "/a%zz" }), {}, 400, "invalid_argument", /percent-encoding/],
  ["an over-long path", json({ path: `/${"x".repeat(5000)}` }), {}, 400, "invalid_argument", /too long/],
  ["a good path with a bad tag", json({ path: "/lab/kept-by-bad-tag", tag: "" }), {}, 400, "invalid_argument", /tag/],
  ["a body over the bound", json({ path: `/${"x".repeat(1024 * 1024)}` }), {}, 413, "too_large", /at most 1048576 bytes/],
  ["no token", json({ path: "/" }), { headers: {} }, 401, "unauthorized", /Authorization: Bearer/],
  ["a wrong token", json({ path: "/" }), { headers: { authorization: "Bearer wrong" } }, 401, "unauthorized", /token/],
  ["a token cut short", json({ path: "/" }), { headers: { authorization: authorization.slice(0, -1) } }, 401, "unauthorized", /token/],
  ["another scheme", json({ path: "/" }), { headers: { authorization: `Basic ${adminToken}` } }, 401, "unauthorized", /token/],
  ["the token without a scheme", json({ path: "/" }), { headers: { authorization: adminToken } }, 401, "unauthorized", /token/],
  ["GET", undefined, { method: "GET" }, 405, "method_not_allowed", /use POST/],
  ["PUT", json({ path: "/" }), { method: "PUT" }, 405, "method_not_allowed", /use POST/],
];

for (const [what, body, request, status, code, message] of refused) {
  test(`refused: ${what}`, async () => {
    const answer = await isr.fetch("/__isr/revalidate", { method: "POST", headers: { authorization }, body, ...request });
    assert.deepEqual([answer.status, answer.json.error?.code], [status, code], answer.text);
    assert.match(answer.json.error.message, message);
    assert.deepEqual([Object.keys(answer.json), Object.keys(answer.json.error).sort()], [["error"], ["code", "message"]]);
    assert.equal(answer.headers.get("content-type"), "application/json");
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.doesNotMatch(answer.text, /panic|wasm|\.rs\b|JsValue|COORDINATOR|TAG_INDEX/, "internals");
    assert.ok(!answer.text.includes(adminToken) && answer.text.length < 500);
    if (status === 405) assert.equal(answer.headers.get("allow"), "POST");
    if (status === 401) assert.equal(answer.headers.get("www-authenticate"), "Bearer");
  });
}

test("a refused call with two parts does neither", async () => {
  await isr.fetch("/lab/neither");
  assert.equal((await isr.revalidate({ path: "/lab/neither", tag: "a,b" })).status, 400);
  assert.equal((await isr.fetch("/lab/neither")).isr, "HIT");
});

test("the scheme of the token may be written in any case", async () => {
  const headers = { authorization: `bearer ${adminToken}` };
  const answer = await isr.fetch("/__isr/revalidate", { method: "POST", headers, body: json({ tag: "any" }) });
  assert.equal(answer.status, 200);
});

test("a body without an announced length is not read", async () => {
  const headers = { authorization, "transfer-encoding": "chunked" };
  const answer = await isr.fetch("/__isr/revalidate", { method: "POST", headers, body: json({ tag: "any" }) });
  assert.deepEqual([answer.status, answer.json.error.code], [411, "length_required"]);
});

test("other paths of the gateway's own are not found, and never reach the site", async () => {
  for (const path of ["/__isr/other", "/__isr/revalidate/more", "/__isr/session/more"]) {
    const answer = await isr.fetch(path, { method: "POST", headers: { authorization }, body: json({ tag: "any" }) });
    assert.deepEqual([answer.status, answer.json.error.code], [404, "not_found"], path);
  }
  for (const path of ["/__isr", "/__isr/"]) {
    const answer = await isr.fetch(path, { method: "POST", headers: { authorization }, body: json({ tag: "any" }) });
    assert.deepEqual([answer.status, answer.json.error.code], [405, "method_not_allowed"], "the dashboard");
  }
  assert.match((await isr.fetch("/__israel")).text, /Nothing here but sea/, "a path of the site's");
});

test("without an admin token in the settings there is nothing to call", async () => {
  for (const token of [undefined, ""]) {
    const closed = await start({ bindings: { ISR_ADMIN_TOKEN: token } });
    for (const headers of [{}, { authorization }, { authorization: "Bearer " }, { authorization: "Bearer undefined" }]) {
      const answer = await closed.fetch("/__isr/revalidate", { method: "POST", headers, body: json({ tag: "any" }) });
      assert.deepEqual([answer.status, answer.json.error.code], [404, "not_found"]);
    }
  }
});
