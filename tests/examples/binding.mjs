/** An origin without a gateway in front, which calls the cache by its binding `ISR`: `npm run start:binding`. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Example } from "./harness.mjs";

/**
 * Tests `examples/<name>` so.
 * @param {string} name
 * @param {import("./suite.mjs").Options} [options]
 */
export function binding(name, { data } = {}) {
  test(`${name}: a site that is in front itself asks the cache by its binding`, { timeout: 120_000 }, async (t) => {
    const example = await Example.start(name, "start:binding");
    t.after(() => example.stop());
    const visit = async (path, init) => {
      const answer = await example.fetch(path, init);
      assert.equal(answer.status, 200, `${answer.text}\n${example.output}`);
      return answer;
    };
    const withData = (path) => (data ? [path, data(path)] : [path]);
    for (const path of ["/", ...withData("/blog/hello-world"), "/nested"]) {
      const headers = { cookie: "visitor=a" };
      const first = await visit(path, { headers });
      const second = await example.untilStatus(path, "HIT");
      assert.deepEqual([first.isr, second.text], ["MISS", first.text], path);
      assert.equal(first.headers.get("cache-tag"), null, path);
    }
    const title = `Written at ${Date.now()}`;
    assert.equal((await example.post("/api/edit", { slug: "hello-world", title, text: "x" })).status, 200);
    for (const path of withData("/blog/hello-world")) {
      const fresh = await visit(path);
      assert.ok(fresh.isr === "MISS" && fresh.text.includes(title), fresh.text);
    }
    const old = await visit("/nested");
    await example.revalidate({ tag: "nested", mode: "stale" });
    // The cache renders it again behind the client's response, over its own binding to the site.
    const stale = await visit("/nested");
    assert.deepEqual([stale.isr, stale.text], ["STALE", old.text]);
    assert.ok((await example.untilStatus("/nested", "HIT")).renderedAt > old.renderedAt);

    const optout = await visit("/nested/optout");
    assert.ok((await visit("/nested/optout")).renderedAt > optout.renderedAt);
  });
}
