import assert from "node:assert/strict";
import { test } from "node:test";

import { Example } from "./harness.mjs";
import { suite } from "./suite.mjs";

const data = (path) => `${path === "/" ? "" : path}/__data.json`;

suite("sveltekit", { data });

test("sveltekit: the data of a post that there is not is an answer of the site's own", async (t) => {
  const example = await Example.start("sveltekit");
  t.after(() => example.stop());
  for (let times = 0; times < 2; times++) {
    const answer = await example.fetch(data("/blog/no-such-post"));
    assert.deepEqual([answer.status, answer.isr], [200, "SKIP"]);
    assert.match(answer.text, /There is no such post/);
  }
});

test("sveltekit: a site that is in front itself asks the cache by its binding", async (t) => {
  const example = await Example.start("sveltekit", "start:binding");
  t.after(() => example.stop());
  const visit = async (path, init) => {
    const answer = await example.fetch(path, init);
    assert.equal(answer.status, 200, `${answer.text}\n${example.output}`);
    return answer;
  };
  for (const path of ["/", "/blog/hello-world", data("/blog/hello-world"), "/nested"]) {
    const headers = { cookie: "visitor=a" };
    const first = await visit(path, { headers });
    const second = await example.untilStatus(path, "HIT");
    assert.deepEqual([first.isr, second.text], ["MISS", first.text], path);
    assert.equal(first.headers.get("cache-tag"), null, path);
  }
  const title = `Written at ${Date.now()}`;
  assert.equal((await example.post("/api/edit", { slug: "hello-world", title, text: "x" })).status, 200);
  for (const path of ["/blog/hello-world", data("/blog/hello-world")]) {
    const fresh = await visit(path);
    assert.ok(fresh.isr === "MISS" && fresh.text.includes(title), fresh.text);
  }
  const old = await visit("/nested");
  await example.revalidate({ tag: "nested", mode: "stale" });
  // Who renders it again behind the visitor is the cache, by its own binding to the site.
  const stale = await visit("/nested");
  assert.deepEqual([stale.isr, stale.text], ["STALE", old.text]);
  assert.ok((await example.untilStatus("/nested", "HIT")).renderedAt > old.renderedAt);

  const optout = await visit("/nested/optout");
  assert.ok((await visit("/nested/optout")).renderedAt > optout.renderedAt);
});
