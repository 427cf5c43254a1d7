/** An unconfigured deployment says so in every response and in the log. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { config, start } from "./harness.mjs";

const without = (name) => {
  const { [name]: _, ...rest } = config();
  return rest;
};

/** [what, how it is started, what is said of it: the name of the setting, and what to write] */
const mistakes = [
  ["no variable ISR", { isr: undefined }, [/ISR/, /\[vars\.ISR\.routes\."\/\*"\]/]],
  ["an ISR that is text", { isr: "not JSON" }, [/ISR/, /table/]],
  ["no routes", { isr: without("routes") }, [/routes/, /\[vars\.ISR\.routes\./]],
  ["an unknown setting", { isr: config({ revalidat: 5 }) }, [/ISR\.revalidat\b/, /did you mean `revalidate`/]],
  ["an unknown setting of a route", { isr: config({}, { "/x": { shard: 5 } }) }, [/ISR\.routes\."\/x"\.shard\b/, /`shards`/]],
  ["a setting in the wrong table", { isr: config({ shards: 2 }) }, [/ISR\.shards/, /route's own table/]],
  ["a number as text", { isr: config({ expire: "5" }) }, [/ISR\.expire/, /whole seconds from 0 to 31536000/]],
  ["a number out of bounds", { isr: config({ freshness_bound: 301 }) }, [/ISR\.freshness_bound/, /from 0 to 300/]],
  ["a fraction", { isr: config({ render_timeout: 1.5 }) }, [/ISR\.render_timeout/, /1\.5/, /whole/]],
  ["a malformed pattern", { isr: config({}, { "/[": {} }) }, [/ISR\.routes\."\/\["/]],
  ["two patterns for the same paths", { isr: config({}, { "/lab/[other]": {} }) }, [/ISR\.routes/, /matches the same paths/]],
  ["a malformed tag", { isr: config({}, { "/x": { tags: ["a,b"] } }) }, [/tags/, /not a tag/]],
  ["no KV namespace", { kv: [] }, [/ISR_CACHE/, /\[\[kv_namespaces\]\]/]],
  ["R2 without a bucket", { isr: config({ l2: "r2" }), kv: [] }, [/ISR_BUCKET/, /\[\[r2_buckets\]\]/]],
  ["bodies over KV's limit without R2", { isr: config({ max_body_bytes: 26_148_865 }) }, [/max_body_bytes/, /25 MiB/, /ISR_BUCKET/]],
  ["a site of a route that is not bound", { isr: config({}, { "/shop": { origin: "SHOP_ORIGIN" } }) }, [/SHOP_ORIGIN/, /\[\[services\]\]/]],
  ["no site", { origin: null }, [/ORIGIN/, /\[\[services\]\]/, /origin = "https:/]],
  ["a header that says who asks", { isr: config({ render_headers: { Cookie: "a=b" } }) }, [/ISR\.render_headers\.Cookie: the value/, /render_sensitive_headers/]],
  ["a secret for renders that is not there", { isr: config({ render_headers: { "X-Key": { secret: "SITE_KEY" } } }) }, [/SITE_KEY/, /wrangler secret put SITE_KEY/]],
  ["a secret for renders that is no header", { isr: config({}, { "/x": { render_headers: { "X-Key": { secret: "SITE_KEY" } } } }), bindings: { SITE_KEY: "hidden\n" } }, [/SITE_KEY: the secret contains/]],
  ["no coordinators", { objects: { TAG_INDEX: "IsrTagIndex" } }, [/COORDINATOR/, /class_name = "IsrCoordinator"/]],
  ["no tag index", { objects: { COORDINATOR: "IsrCoordinator" } }, [/TAG_INDEX/, /class_name = "IsrTagIndex"/]],
  ["several mistakes at once", { isr: config({ expire: -1, nonsense: 1 }), kv: [] }, [/ISR\.expire/, /nonsense/, /ISR_CACHE/]],
];

for (const [what, options, said] of mistakes) {
  test(`${what}: every request is told`, async () => {
    const isr = await start(options);
    for (const [path, init] of [["/", {}], ["/editor", {}], ["/lab/x", { method: "POST", body: "{}" }], ["/__isr/revalidate", {}]]) {
      const answer = await isr.fetch(path, init);
      assert.deepEqual([answer.status, answer.json.error.code], [500, "misconfigured"], path);
      assert.equal(answer.headers.get("cache-control"), "no-store");
      const problems = answer.json.error.problems.join("\n");
      for (const part of said) assert.match(problems, part);
      assert.doesNotMatch(problems, /hidden/);
    }
    const logged = isr.logs.filter((line) => line.startsWith("error") && line.includes("not configured"));
    assert.equal(logged.length, 1, "logged once");
    for (const part of said) assert.match(logged[0], part);
    await isr.kill();
  });
}

test("the settings may be JSON text, as when they are set by hand", async () => {
  const isr = await start({ isr: JSON.stringify(config()) });
  assert.equal((await isr.fetch("/")).isr, "MISS");
});
