/**
 * The common tests of all examples. Their pages have the same paths; options describe the differences between
 * frameworks.
 *
 * All tests of a file share one runtime, like visitors, and run one after the other. Each begins by expiring the pages
 * that it uses.
 */
import assert from "node:assert/strict";
import { after, before, suite as group, test } from "node:test";

import { Example, bypassToken } from "./harness.mjs";
import { open } from "./browser.mjs";

/**
 * @typedef {object} Options
 * @property {(path: string) => string} [data] the URL by which client-side navigation asks for the data of a page, if the framework
 *   has one; the example's `/api/revalidate` revalidates a path together with it
 * @property {(example: () => Example) => void} [more] tests of what only this framework has
 */

/**
 * Tests `examples/<name>`.
 * @param {string} name
 * @param {Options} [options]
 */
export function suite(name, { data, more } = {}) {
  group(name, { timeout: 300_000 }, () => {
    /** @type {Example} */
    let example;
    before(async () => {
      example = await Example.start(name);
    });
    after(() => example?.stop());

    /** Has pages forgotten, whatever tests before have made of them. */
    const forget = (...paths) => Promise.all(paths.map((path) => example.revalidate({ path })));

    /** Asks for a page, which has to be one, and checks how the cache came by it. */
    async function visit(path, isr) {
      const answer = await example.fetch(path);
      assert.deepEqual([answer.status, answer.isr], [200, isr], `${path}\n${answer.text}\n${example.output}`);
      return answer;
    }

    test("a page is rendered once, and then served as it is", async () => {
      for (const [path, page] of [["/", "home"], ["/blog/hello-world", "post"], ["/nested", "nested"], ["/nested/override", "override"]]) {
        const first = await visit(path, "MISS");
        assert.equal(first.page, page);
        assert.match(first.text, /<h1\b/);
        const second = await visit(path, "HIT");
        assert.equal(second.text, first.text);
        assert.equal(second.renderedAt, first.renderedAt);
      }
    });

    test("visitors who come at the same time get one render", async () => {
      await forget("/blog/third-post");
      const answers = await Promise.all(Array.from({ length: 10 }, () => example.fetch("/blog/third-post")));
      assert.equal(new Set(answers.map((answer) => answer.text)).size, 1);
      assert.ok(answers.every((answer) => answer.status === 200 && ["MISS", "HIT"].includes(answer.isr)));
    });

    test("posts are cached apart", async () => {
      await forget("/blog/hello-world", "/blog/getting-started");
      const hello = await visit("/blog/hello-world", "MISS");
      const started = await visit("/blog/getting-started", "MISS");
      assert.match(hello.text, /Hello, world/);
      assert.match(started.text, /Getting started/);
      assert.notEqual(hello.renderedAt, started.renderedAt);
      assert.equal((await visit("/blog/hello-world", "HIT")).text, hello.text);
      assert.equal((await visit("/blog/getting-started", "HIT")).text, started.text);
    });

    test("a post that there is not is a 404, and cached as one", async () => {
      for (const isr of ["MISS", "HIT"]) {
        for (const path of ["/blog/no-such-post", "/blog/%C3%A4", "/blog/a%2Cb"]) {
          const answer = await example.fetch(path);
          assert.deepEqual([answer.status, answer.isr], [404, isr], `${path}\n${answer.text}`);
        }
      }
    });

    test("a query that the route does not name makes no page of its own", async () => {
      const page = await example.fetch("/");
      assert.equal((await visit("/?utm_source=test&made-up=1", "HIT")).text, page.isr === "HIT" ? page.text : (await visit("/", "HIT")).text);
    });

    test("a path is revalidated, and no other", async () => {
      const paths = ["/blog/hello-world", "/blog/getting-started", "/"];
      await forget(...paths);
      const [hello, started, home] = await Promise.all(paths.map((path) => visit(path, "MISS")));
      const receipts = await example.revalidate({ path: "/blog/hello-world" });
      assert.ok(receipts.length >= 1 && receipts.every((receipt) => receipt.seq > 0 && receipt.shards.pending === 0), JSON.stringify(receipts));
      const fresh = await visit("/blog/hello-world", "MISS");
      assert.ok(fresh.renderedAt > hello.renderedAt);
      assert.equal((await visit("/blog/hello-world", "HIT")).text, fresh.text);
      assert.equal((await visit("/blog/getting-started", "HIT")).text, started.text);
      assert.equal((await visit("/", "HIT")).text, home.text);
    });

    test("a tag is revalidated on the pages that carry it, and on no other", async () => {
      const paths = ["/blog/hello-world", "/blog/getting-started", "/", "/nested", "/nested/override"];
      const visitAll = async () => {
        const answers = await Promise.all(paths.map((path) => example.fetch(path)));
        return Object.fromEntries(answers.map((answer, at) => [paths[at], answer.isr]));
      };
      await forget(...paths);
      await visitAll();
      const all = (isr) => Object.fromEntries(paths.map((path) => [path, isr]));
      const expected = {
        "post:hello-world": { ...all("HIT"), "/blog/hello-world": "MISS" },
        posts: { ...all("HIT"), "/blog/hello-world": "MISS", "/blog/getting-started": "MISS", "/": "MISS" },
        home: { ...all("HIT"), "/": "MISS" },
        nested: { ...all("HIT"), "/nested": "MISS", "/nested/override": "MISS" },
        override: { ...all("HIT"), "/nested/override": "MISS" },
        "no-page-has-this": all("HIT"),
      };
      for (const [tag, states] of Object.entries(expected)) {
        await example.revalidate({ tag });
        assert.deepEqual(await visitAll(), states, tag);
        assert.deepEqual(await visitAll(), all("HIT"), tag);
      }
    });

    test("all below a prefix is revalidated", async () => {
      await forget("/nested", "/nested/override", "/");
      for (const path of ["/nested", "/nested/override", "/"]) await visit(path, "MISS");
      await example.revalidate({ prefix: "/nested" });
      await visit("/nested", "MISS");
      await visit("/nested/override", "MISS");
      await visit("/", "HIT");
    });

    test("a page has what its route says, its layouts' defaults, and what it sets itself over them", async () => {
      const paths = ["/", "/blog/hello-world", "/nested", "/nested/override"];
      await forget(...paths);
      for (const path of paths) await visit(path, "MISS");
      const known = Object.fromEntries(await Promise.all(paths.map(async (path) => {
        const { tags, renderBeganAt, freshUntil } = await example.inspect(path);
        return [path, { seconds: Math.round((freshUntil - renderBeganAt) / 1000), tags: tags.toSorted() }];
      })));
      assert.deepEqual(known, {
        "/": { seconds: 60, tags: ["home", "posts"] },
        "/blog/hello-world": { seconds: 120, tags: ["post:hello-world", "posts"] },
        "/nested": { seconds: 300, tags: ["nested"] },
        "/nested/override": { seconds: 30, tags: ["nested", "override"] },
      });
    });

    test("a page that opts out is rendered for everybody", async () => {
      const first = await visit("/nested/optout", "SKIP");
      const second = await visit("/nested/optout", "SKIP");
      assert.equal(first.page, "optout");
      assert.ok(second.renderedAt > first.renderedAt);
    });

    test("in draft mode an editor sees the site itself, and nothing is stored", async () => {
      await forget("/blog/hello-world");
      const stored = await visit("/blog/hello-world", "MISS");
      const headers = { "x-isr-bypass": bypassToken };
      for (let times = 0; times < 2; times++) {
        const draft = await example.fetch("/blog/hello-world", { headers });
        assert.deepEqual([draft.status, draft.isr], [200, "BYPASS"], draft.text);
        assert.match(draft.headers.get("cache-control"), /no-store/);
        assert.ok(draft.renderedAt > stored.renderedAt);
      }
      assert.equal((await visit("/blog/hello-world", "HIT")).text, stored.text);
      const guess = await example.fetch("/blog/hello-world", { headers: { "x-isr-bypass": "a-guess" } });
      assert.deepEqual([guess.isr, guess.text], ["HIT", stored.text]);
    });

    test("what is not GET or HEAD passes, and leaves pages alone", async () => {
      await forget("/");
      const stored = await visit("/", "MISS");
      for (const method of ["POST", "PUT", "DELETE"]) {
        const answer = await example.fetch("/", { method, headers: { origin: example.origin } });
        assert.ok(answer.isr === null && answer.text !== stored.text, `${method}: ${answer.status} ${answer.isr}`);
      }
      assert.equal((await visit("/", "HIT")).text, stored.text);
      const head = await example.fetch("/", { method: "HEAD" });
      assert.deepEqual([head.status, head.isr, head.text], [200, "HIT", ""]);
    });

    test("a request to revalidate that can't be understood is refused", async () => {
      for (const body of ["", "no JSON", "null", "[]", {}, { path: 1 }, { tag: "" }, { path: "no-slash" }]) {
        const answer = await example.post("/api/revalidate", body);
        assert.equal(answer.status, 400, `${JSON.stringify(body)}: ${answer.text}`);
      }
      for (const body of ["", { slug: "hello-world" }, { slug: "hello-world", title: "", text: "x" }]) {
        assert.equal((await example.post("/api/edit", body)).status, 400, JSON.stringify(body));
      }
      assert.equal((await example.post("/api/edit", { slug: "no-such-post", title: "x", text: "x" })).status, 404);
    });

    test("an edit shows at once, in its post and nowhere else", async () => {
      const paths = ["/blog/getting-started", "/blog/third-post"];
      await forget(...paths);
      const [edited, other] = await Promise.all(paths.map((path) => visit(path, "MISS")));
      const title = `Started at ${Date.now()}`;
      const answer = await example.post("/api/edit", { slug: "getting-started", title, text: "Edited." });
      assert.equal(answer.status, 200, answer.text);
      const fresh = await visit("/blog/getting-started", "MISS");
      assert.ok(fresh.text.includes(title) && !edited.text.includes(title));
      assert.equal((await visit("/blog/third-post", "HIT")).text, other.text);
    });

    if (data) {
      test("data for client-side navigation is cached apart from pages, and carries the same tags", async () => {
        const path = "/blog/hello-world";
        const both = async () => [await example.fetch(path), await example.fetch(data(path))];
        const states = async () => (await both()).map((answer) => answer.isr);
        await example.revalidate({ tag: "posts" });
        const [page, first] = await both();
        assert.deepEqual([page.isr, first.status, first.isr], ["MISS", 200, "MISS"], first.text);
        assert.match(first.text, /Hello, world/);
        assert.doesNotMatch(first.text, /<html/i);
        assert.doesNotMatch(first.headers.get("content-type"), /html/);
        const [pageAgain, second] = await both();
        assert.deepEqual([pageAgain.isr, second.isr], ["HIT", "HIT"]);
        assert.deepEqual([pageAgain.text, second.text], [page.text, first.text]);

        const [{ tags, freshUntil, renderBeganAt }, ofPage] = await Promise.all([data(path), path].map((path) => example.inspect(path.split("?")[0])));
        assert.deepEqual(tags, ofPage.tags);
        assert.equal(freshUntil - renderBeganAt, ofPage.freshUntil - ofPage.renderBeganAt);

        await example.revalidate({ tag: "post:hello-world" });
        assert.deepEqual(await states(), ["MISS", "MISS"]);
        await example.revalidate({ path });
        assert.deepEqual(await states(), ["MISS", "MISS"]);
        await example.revalidate({ tag: "nested" });
        assert.deepEqual(await states(), ["HIT", "HIT"]);
      });
    }

    more?.(() => example);

    test("in a browser: open, navigate, edit, and see the change", async (t) => {
      const page = await open(t);
      const rendered = () => page.locator("time[data-rendered-at]").getAttribute("datetime");
      // Before its scripts have run, a link would lead to another document.
      await page.goto(`${example.origin}/`, { waitUntil: "networkidle" });
      await page.locator('main[data-page="home"]').waitFor();
      await page.evaluate(() => (globalThis.isSameDocument = true));
      const asked = data && page.waitForResponse((response) => response.url().startsWith(example.origin + data("/blog/third-post")));
      await page.locator('a[href="/blog/third-post"]').first().click();
      await page.locator('main[data-page="post"]').waitFor();
      assert.equal(await page.locator("h1").textContent(), "A third post");
      if (data) {
        assert.equal(await page.evaluate(() => globalThis.isSameDocument), true);
        assert.match((await asked).headers()["x-isr-status"], /^(MISS|HIT)$/);
      }
      const before = await rendered();

      const title = `Edited in a browser at ${Date.now()}`;
      await page.locator('form input[name="title"]').fill(title);
      await page.locator('form textarea[name="text"]').fill("Somebody has just written this.");
      await page.getByRole("button", { name: "Save" }).click();
      await page.locator("h1", { hasText: title }).waitFor();
      assert.notEqual(await rendered(), before);
      await page.screenshot(name);

      await page.locator('a[href="/"]').first().click();
      await page.locator('main[data-page="home"]').waitFor();
      await page.goto(`${example.origin}/blog/third-post`);
      assert.equal(await page.locator("h1").textContent(), title);
      assert.deepEqual(page.errors, []);
    });
  });
}
