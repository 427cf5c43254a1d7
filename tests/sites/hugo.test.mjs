/** Hugo behind nginx, behind the gateway: with the defaults and one route, and with the recipe of docs/recipes/hugo.md. */
import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";

import { Comparison, ask, crawl } from "./crawler.mjs";
import { defaults, gatewayFor, keep, recipeOf } from "./gateway.mjs";
import { startHugo } from "./hugo/site.mjs";

const seeds = ["/", "/posts/", "/posts", "/posts/lamp-1", "/posts/lamp-1/?utm_source=mail", "/posts/lamp-1/?x=1", "/old/lamp/", "/index.xml", "/posts/index.xml", "/sitemap.xml", "/robots.txt", "/404.html", "/no-such-page/", "/favicon.ico", "/empty.css", "/empty.txt", "/manual.txt", "/lamp.png", "/film.mp4", "/tags/", "/tags/bright/", "/tags/%D0%BA%D1%80%D0%B0%D1%81%D0%BD%D1%8B%D0%B9/",
  "/de/", "/de/posts/lamp-1/", "/posts/page/2/", "/posts/page/1/", "/posts/lamp-1/index.html", "/posts//lamp-1/", "/search.json", ...Array.from({ length: 9 }, (_, n) => `/empty-${n}.txt`)];
const kindOf = (target) => {
  const [name, query] = target.split("?");
  if (/\.(?:css|txt|png|mp4|ico|json)$/.test(name)) return "files";
  if (/\.xml$/.test(name)) return "feeds and sitemaps";
  return query ? "pages with parameters" : "pages";
};
const normalized = (text) => text.replaceAll(/\?(?:utm_source=mail|x=1)/g, "").replaceAll(/%[0-9a-f]{2}/gi, (encoded) => encoded.toLowerCase());

let site, gateway, plain, pages;
const compare = (through) => new Comparison({ direct: site.address, gateway: through.address, normalized });

before(async () => {
  site = await startHugo();
  gateway = await gatewayFor(site.address, recipeOf("hugo"));
  plain = await gatewayFor(site.address, defaults);
  pages = await crawl(site.address, seeds, { most: Number(process.env.ISR_SITES_PAGES ?? 160) });
});

for (const name of ["hugo-defaults", "hugo"]) {
  test(`${name}: every page is as the site sends it, cold, from the cache, and in all other ways to ask for it`, async () => {
    const comparison = compare(name === "hugo" ? gateway : plain);
    await comparison.visit("cold", pages);
    await comparison.visit("again", pages);
    await keep(name, comparison.report(kindOf));
    await comparison.variations(pages);
    assert.deepEqual(comparison.found, []);
  });
}

test("ranges of a film that is not stored yet, and of one that is", async () => {
  const film = (await ask(site.address, "/film.mp4")).body;
  for (const [target, through] of [["/film.mp4", gateway], ["/film.mp4?cold", gateway], ["/film.mp4?other", plain]]) {
    for (const [from, to] of [[0, 1], [1_000_000, 1_000_999], [film.length - 10, film.length - 1]]) {
      const part = await ask(through.address, target, { headers: { range: `bytes=${from}-${to}`, "accept-encoding": "identity" } });
      assert.deepEqual([part.status, part.fields["content-range"]], [206, `bytes ${from}-${to}/${film.length}`], `${target} ${part.outcome}`);
      assert.ok(part.body.equals(film.subarray(from, to + 1)));
    }
  }
});

test("stale pages are as they were; a build that is followed by the recipe's call appears at once", async () => {
  assert.equal((await gateway.revalidate({ everything: true, mode: "stale" })).status, 200);
  const stale = compare(gateway);
  await stale.visit("stale", pages);
  await stale.visit("later", pages);
  assert.deepEqual(stale.found, []);

  const post = path.join(site.folder, "content/posts/lamp-1.md");
  await writeFile(post, (await readFile(post, "utf8")).replace("number 1", "number one"));
  await cp(post, path.join(site.folder, "content/posts/new.md"));
  await site.build();
  assert.equal((await gateway.revalidate({ everything: true })).status, 200);
  assert.match((await ask(gateway.address, "/posts/lamp-1/")).text, /number one/);
  const after = compare(gateway);
  const all = await crawl(site.address, seeds, { most: 160 });
  await after.visit("after the build", all);
  await after.visit("again after the build", all);
  assert.ok(all.includes("/posts/new/"));
  assert.deepEqual(after.found, []);
});
