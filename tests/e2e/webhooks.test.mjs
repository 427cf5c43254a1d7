/** Webhooks: deliveries of real senders, signed as they sign them, and what becomes of wrong ones. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { before, test } from "node:test";

import { config, start } from "./harness.mjs";

const secrets = {
  SANITY_SECRET: "secret-of-sanity",
  CONTENTFUL_SECRET: "c".repeat(64),
  STORYBLOK_SECRET: "secret-of-storyblok",
  DATO_SECRET: "secret-of-dato",
  GITHUB_SECRET: "secret-of-github",
  STANDARD_SECRET: `whsec_${Buffer.from("24 bytes that both know!").toString("base64")}`,
};

const webhooks = {
  sanity: {
    scheme: "sanity",
    secret: "SANITY_SECRET",
    rules: [{ when: { "/_type": "post" }, tag: "post:{/_id}", path: "/lab/{/slug/current}", mode: "expire" }],
  },
  contentful: { scheme: "contentful", secret: "CONTENTFUL_SECRET", rules: [{ path: "/lab/{/fields/slug/en-US}" }] },
  storyblok: { scheme: "storyblok", secret: "STORYBLOK_SECRET", rules: [{ path: "/{/full_slug}", mode: "stale" }] },
  dato: { scheme: "token", secret: "DATO_SECRET", delivery_id: "/webhook_call_id", rules: [{ when: { "/entity_type": "cda_cache_tags" }, tag: "{/entity/attributes/tags}" }] },
  github: { scheme: "github", secret: "GITHUB_SECRET", rules: [{ tag: ["file:{/commits/*/added}", "file:{/commits/*/modified}"] }] },
  standard: { scheme: "standard", secret: "STANDARD_SECRET", rules: [{ everything: true }] },
};

const hmac = (key, text, coding, hash = "sha256") => createHmac(hash, key).update(text).digest(coding);

/** The headers with which each sender signs a body. */
const signed = {
  sanity(body, time = Date.now()) {
    return { "sanity-webhook-signature": `t=${time},v1=${hmac(secrets.SANITY_SECRET, `${time}.${body}`, "base64url")}` };
  },
  contentful(body, time = Date.now()) {
    const list = "x-contentful-signed-headers,x-contentful-timestamp";
    const headers = `x-contentful-signed-headers:${list};x-contentful-timestamp:${time}`;
    const canonical = ["POST", "/__isr/hooks/contentful", headers, body].join("\n");
    return {
      "x-contentful-signed-headers": list,
      "x-contentful-timestamp": String(time),
      "x-contentful-signature": hmac(secrets.CONTENTFUL_SECRET, canonical, "hex"),
    };
  },
  storyblok: (body) => ({ "webhook-signature": hmac(secrets.STORYBLOK_SECRET, body, "hex", "sha1") }),
  dato: () => ({ authorization: `Bearer ${secrets.DATO_SECRET}` }),
  github: (body) => ({ "x-hub-signature-256": `sha256=${hmac(secrets.GITHUB_SECRET, body, "hex")}` }),
  standard(body, time = Date.now()) {
    const [id, seconds] = ["msg_1", Math.floor(time / 1000)];
    const key = Buffer.from(secrets.STANDARD_SECRET.slice("whsec_".length), "base64");
    return {
      "webhook-id": id,
      "webhook-timestamp": String(seconds),
      "webhook-signature": `v1,${hmac(key, `${id}.${seconds}.${body}`, "base64")}`,
    };
  },
};

let isr;
before(async () => {
  isr = await start({ isr: config({ webhooks }, { "/lab/[name]": { revalidate: false } }), bindings: secrets });
});

/** Sends a body as a sender does. */
function deliver(name, value, { headers, method = "POST" } = {}) {
  const body = typeof value === "string" ? value : JSON.stringify(value);
  return isr.fetch(`/__isr/hooks/${name}`, { method, headers: { "content-type": "application/json", ...(headers ?? signed[name](body)) }, body });
}

/** Renders a page, and asserts that a delivery invalidates it and not its neighbour. */
async function renews(name, body, { page, tag, isr: outcome = "MISS" }) {
  const headers = { "X-ISR-Revalidate": "false", ...(tag && { "Cache-Tag": tag }) };
  const paths = [await isr.lab(page, { headers }), await isr.lab(`${page}-other`, {})];
  for (const path of paths) assert.equal((await isr.fetch(path)).isr, "MISS");
  const answer = await deliver(name, body);
  assert.equal(answer.status, 200, answer.text);
  assert.equal((await isr.fetch(paths[0])).isr, outcome);
  assert.equal((await isr.fetch(paths[1])).isr, "HIT");
  return answer.json;
}

test("each sender's delivery invalidates the pages that it names", async () => {
  const sanity = await renews("sanity", { _id: "p1", _type: "post", slug: { current: "sanity" } }, { page: "sanity" });
  assert.deepEqual(sanity.invalidations.map(({ tag, path, shards }) => [tag ?? path, shards.pending]), [["/lab/sanity", 0], ["post:p1", 0]]);
  await renews("contentful", { sys: { type: "Entry" }, fields: { slug: { "en-US": "contentful" } } }, { page: "contentful" });
  await renews("storyblok", { action: "published", story_id: 42, full_slug: "lab/storyblok" }, { page: "storyblok", isr: "STALE" });
  await renews("github", { commits: [{ added: [], modified: ["docs/a.md"] }] }, { page: "github", tag: "file:docs/a.md" });
});

test("hundreds of tags in one delivery", async () => {
  const tags = Array.from({ length: 300 }, (_, number) => `record-${number}`);
  const body = { entity_type: "cda_cache_tags", event_type: "invalidate", entity: { attributes: { tags } } };
  const { invalidations, skipped } = await renews("dato", body, { page: "dato", tag: "record-299" });
  assert.deepEqual([invalidations.length, skipped], [300, []]);
});

test("a repeated delivery invalidates nothing again", async () => {
  const path = await isr.lab("repeated", { headers: { "X-ISR-Revalidate": "false", "Cache-Tag": "once" } });
  const body = (call, attempt) =>
    ({ webhook_call_id: call, attempted_auto_retries_count: attempt, entity_type: "cda_cache_tags", entity: { attributes: { tags: ["once", "twice"] } } });
  const outcome = async () => (await isr.fetch(path)).isr;
  await outcome();
  const first = (await deliver("dato", body("1", 0))).json.invalidations;
  assert.deepEqual([await outcome(), await outcome()], ["MISS", "HIT"]);
  const again = (await deliver("dato", body("1", 1))).json.invalidations;
  assert.deepEqual(again, first.map((receipt) => ({ ...receipt, repeated: true })));
  assert.equal(await outcome(), "HIT");
  const other = (await deliver("dato", body("2", 0))).json.invalidations;
  assert.deepEqual([other.every(({ repeated }) => repeated === undefined), await outcome()], [true, "MISS"]);
  const github = { commits: [{ added: ["once"], modified: [] }] };
  const headers = { ...signed.github(JSON.stringify(github)), "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958" };
  const receipts = [];
  for (let attempt = 0; attempt < 2; attempt += 1) receipts.push((await deliver("github", github, { headers })).json.invalidations[0]);
  assert.deepEqual(receipts[1], { ...receipts[0], repeated: true });
});

test("a delivery that no rule concerns invalidates nothing, and one for everything does", async () => {
  const other = await deliver("sanity", { _id: "a1", _type: "author" });
  assert.deepEqual([other.status, other.json], [200, { invalidations: [], skipped: [] }]);
  const path = await isr.lab("standard", {});
  await isr.fetch(path);
  assert.equal((await isr.fetch(path)).isr, "HIT");
  assert.equal((await deliver("standard", {})).status, 200);
  assert.equal((await isr.fetch(path)).isr, "MISS");
});

test("wrong signatures change nothing, and the log says why", async () => {
  const body = JSON.stringify({ _id: "p2", _type: "post", slug: { current: "guarded" } });
  const path = await isr.lab("guarded", {});
  await isr.fetch(path);
  for (const headers of [
    {},
    { "sanity-webhook-signature": "nonsense" },
    signed.sanity(`${body} `),
    signed.sanity(body, Date.now() - 2 * 3_600_000),
    { authorization: `Bearer ${secrets.SANITY_SECRET}` },
  ]) {
    const answer = await deliver("sanity", body, { headers });
    assert.deepEqual([answer.status, answer.json.error.code], [401, "unauthorized"], JSON.stringify(headers));
  }
  assert.equal((await isr.fetch(path)).isr, "HIT");
  assert.ok(isr.logs.some((line) => line.includes("webhook sanity: the signature is not that of the secret")), isr.logs.join("\n"));
});

test("what can't be carried out is refused with the reason", async () => {
  for (const [name, body, status, message] of [
    ["unknown", "{}", 404, /nothing here/],
    ["dato", "id=1", 400, /not JSON/],
    ["dato", { entity_type: "cda_cache_tags", entity: { attributes: { tags: Array.from({ length: 1001 }, (_, n) => `t${n}`) } } }, 400, /more than 1000 targets/],
    ["storyblok", { full_slug: "what?" }, 400, /none of the targets is valid; the first is the path "\/what\?"/],
    ["dato", "x".repeat(1024 * 1024 + 1), 413, /1048576 bytes/],
  ]) {
    const answer = await deliver(name, body, name === "unknown" ? { headers: {} } : {});
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.json.error.message, message);
  }
  const get = await isr.fetch("/__isr/hooks/dato", { headers: signed.dato() });
  assert.deepEqual([get.status, get.headers.get("allow")], [405, "POST"]);
  const partly = await deliver("sanity", { _id: "p,3", _type: "post", slug: { current: "partly" } });
  assert.deepEqual(partly.json.invalidations.map(({ path }) => path), ["/lab/partly"]);
  assert.deepEqual(partly.json.skipped.map(({ tag }) => tag), ["post:p,3"]);
});

test("a missing or malformed secret is reported", async () => {
  for (const [bindings, message] of [
    [{ ...secrets, DATO_SECRET: undefined }, /DATO_SECRET: this secret is missing; set it with .*`webhooks`/],
    [{ ...secrets, STANDARD_SECRET: "not base64!" }, /STANDARD_SECRET: the secret is not base64; write the secret of Standard Webhooks/],
  ]) {
    const broken = await start({ isr: config({ webhooks }), bindings });
    const answer = await broken.fetch("/");
    assert.equal(answer.status, 500);
    assert.match(answer.text, message);
    await broken.kill();
  }
});
