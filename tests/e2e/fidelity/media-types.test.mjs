/** `Accept` as an axis: HTML for browsers, Markdown for agents (RFC 9110 §12.5.1). */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

let isr;

before(async () => {
  const origin = await originOf(({ headers }, response) => {
    const type = /markdown|json/.exec(headers.accept)?.[0] === "markdown" ? "text/markdown" : headers.accept.includes("json") ? "application/json" : "text/html";
    response.writeHead(200, { "content-type": type, vary: "Accept" }).end(`asked for ${headers.accept}`);
  });
  isr = await gatewayFor(origin, { routes: { "/*": { vary: { accept: ["text/html", "text/markdown", "application/json"] } } } });
});

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

for (const [accept, expected] of [
  [browser, "text/html"],
  ["*/*", "text/html"],
  ["text/markdown", "text/markdown"],
  ["text/markdown, text/html;q=0.9, */*;q=0.8", "text/markdown"],
  ["text/markdown, */*", "text/markdown"],
  ["text/markdown;q=0.3, text/html;q=0.7", "text/html"],
  ["text/*, text/html;q=0.1", "text/markdown"],
  ["text/html;q=0, */*;q=0.5", "text/markdown"],
  ["application/json", "application/json"],
  ["image/png", "text/html"],
  ["text/html;level=1, application/json;q=0.1", "application/json"],
]) {
  test(`Accept: ${accept} is served ${expected}`, async () => {
    const path = `/${encodeURIComponent(accept)}`;
    for (const outcome of ["MISS", "HIT"]) {
      const answer = await isr.fetch(path, { headers: { accept } });
      assert.deepEqual([answer.isr, answer.headers.get("content-type"), answer.text], [outcome, expected, `asked for ${expected}`]);
      assert.equal(answer.headers.get("vary"), "accept");
    }
  });
}

test("the variants of a page are few, whatever clients write", async () => {
  const path = "/few";
  for (let n = 0; n < 20; n += 1) await isr.fetch(path, { headers: { accept: `text/html;q=0.${n + 10}, text/x-${n}` } });
  assert.equal((await isr.fetch(path, { headers: { accept: "text/markdown" } })).isr, "MISS");
  assert.equal((await isr.fetch(path, { headers: { accept: browser } })).isr, "HIT");
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal((await isr.stored(path)).length, 2);
});
