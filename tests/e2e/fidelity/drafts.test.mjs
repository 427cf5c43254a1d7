/** In draft mode, an editor's browser keeps the files of the site as it does without the cache, and no draft. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { bypassToken } from "../harness.mjs";
import { gatewayFor, originOf } from "./origin.mjs";

const immutable = "public, max-age=31536000, immutable";
const files = {
  "/script.js": { "content-type": "application/javascript", "cache-control": immutable },
  "/style.css": { "content-type": "text/css", etag: '"1"' },
  "/data.json": { "content-type": "application/json" },
  "/page": { "content-type": "text/html", "cache-control": immutable, etag: '"1"' },
};
let isr;

before(async () => {
  const origin = await originOf(({ url, headers }, response) => {
    const fields = files[url];
    const isCurrent = fields.etag !== undefined && headers["if-none-match"] === fields.etag;
    response.writeHead(isCurrent ? 304 : 200, fields).end(isCurrent ? undefined : url);
  });
  isr = await gatewayFor(origin);
});

const draft = (path, headers = {}) => isr.fetch(path, { headers: { cookie: `__isr_bypass=${bypassToken}`, ...headers } });

for (const [path, expected] of [
  ["/script.js", "private, max-age=31536000"],
  ["/style.css", "private, no-cache"],
  ["/data.json", "private, no-store"],
  ["/page", "private, no-store"],
]) {
  test(`${path}: ${expected}`, async () => {
    const answer = await draft(path);
    assert.deepEqual([answer.isr, answer.text, answer.headers.get("cache-control")], ["BYPASS", path, expected]);
  });
}

test("the origin confirms a file", async () => {
  const { status, headers } = await draft("/style.css", { "if-none-match": '"1"' });
  assert.deepEqual([status, headers.get("cache-control")], [304, "private, no-cache"]);
});
