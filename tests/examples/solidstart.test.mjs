import assert from "node:assert/strict";
import { test } from "node:test";

import { binding } from "./binding.mjs";
import { open } from "./browser.mjs";
import { adminToken } from "./harness.mjs";
import { suite } from "./suite.mjs";

suite("solidstart", {
  more(theExample) {
    /** Follows a link in a browser, and returns what is asked for then of the function that gives a page its data. */
    async function navigate(t, href) {
      const page = await open(t);
      await page.goto(`${theExample().origin}/`, { waitUntil: "networkidle" });
      await page.evaluate(() => (globalThis.isSameDocument = true));
      const answered = page.waitForResponse((response) => new URL(response.url()).pathname === "/_server");
      await page.locator(`a[href="${href}"]`).first().click();
      const response = await answered;
      await page.locator("main[data-page]:not([data-page='home'])").waitFor();
      assert.equal(await page.evaluate(() => globalThis.isSameDocument), true);
      const { pathname, search } = new URL(response.url());
      const shown = await page.locator("time[data-rendered-at]").getAttribute("datetime");
      assert.deepEqual(page.errors, []);
      return { method: response.request().method(), url: pathname + search, isr: response.headers()["x-isr-status"], shown };
    }

    /** Returns what the gateway knows of the pages that stand for server functions. */
    async function inspect() {
      const headers = { authorization: `Bearer ${adminToken}` };
      const { json } = await theExample().fetch("/__isr/inspect?path=/_server", { headers });
      return json.entries;
    }

    test("a server function that says so is cached apart from pages, and carries the same tags", async (t) => {
      const example = theExample();
      await example.revalidate({ tag: "posts" });
      const html = await example.fetch("/blog/hello-world");
      const first = await navigate(t, "/blog/hello-world");
      assert.deepEqual([html.isr, first.method, first.isr], ["MISS", "GET", "MISS"]);
      const second = await navigate(t, "/blog/hello-world");
      assert.deepEqual(second, { ...first, isr: "HIT" });

      const data = () => example.fetch(first.url);
      const { isr, text, headers } = await data();
      assert.equal(isr, "HIT");
      assert.match(text, /Hello, world/);
      assert.doesNotMatch(headers.get("content-type"), /html/);
      const other = await navigate(t, "/blog/getting-started");
      assert.notEqual(other.url, first.url);
      assert.equal(other.isr, "MISS");

      const [ofPage, ...ofData] = [await example.inspect("/blog/hello-world"), ...(await inspect())];
      const known = ofData.find((entry) => entry.tags.includes("post:hello-world"));
      assert.deepEqual(known.tags, ofPage.tags);
      assert.equal(known.freshUntil - known.renderBeganAt, 120_000);

      const states = async () => [(await example.fetch("/blog/hello-world")).isr, (await data()).isr, (await example.fetch(other.url)).isr];
      await example.revalidate({ tag: "post:hello-world" });
      assert.deepEqual(await states(), ["MISS", "MISS", "HIT"]);
      await example.revalidate({ path: "/blog/hello-world" });
      assert.deepEqual(await states(), ["MISS", "HIT", "HIT"]);
      await example.revalidate({ path: "/_server" });
      assert.deepEqual(await states(), ["HIT", "MISS", "MISS"]);
    });

    test("a server function that fails is a failure to the cache, and what it has thrown no page", async (t) => {
      const example = theExample();
      const { url } = await navigate(t, "/blog/hello-world");
      // Where a slug should be, `Symbol.iterator`: the posts can't be asked for that.
      const args = '{"t":9,"i":0,"a":[{"t":17,"i":1,"s":3}],"o":0}';
      const wrong = new URL(url, example.origin);
      wrong.searchParams.set("args", `;0x${args.length.toString(16).padStart(8, "0")};${args}`);
      const answer = await example.fetch(wrong.pathname + wrong.search);
      assert.deepEqual([answer.status, answer.isr], [500, "SKIP"], answer.text);
      assert.match(answer.headers.get("cache-status"), /detail=site-error/);
    });

    test("a server function that says nothing is called by every visitor himself", async (t) => {
      const first = await navigate(t, "/nested");
      const second = await navigate(t, "/nested");
      assert.deepEqual([first.isr, second.isr, second.url], ["SKIP", "SKIP", first.url]);
      assert.ok(second.shown > first.shown);
    });
  },
});

binding("solidstart");
