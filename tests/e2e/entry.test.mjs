/** The parts of the entry module that run without the platform. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { transform } from "esbuild";

const root = path.resolve(import.meta.dirname, "../..");

test("a request takes the short path, or not, as the classification in Rust expects", async () => {
  const source = await readFile(path.join(root, "src/edge/entry/plain.ts"), "utf8");
  const { code } = await transform(source, { loader: "ts" });
  const { isPlain } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  // src/visit/classify/tests.rs reads the same cases, and compares `shortPath` with what it declares.
  const { shortPath, cases } = JSON.parse(await readFile(path.join(root, "tests/vectors/short-path.json"), "utf8"));
  for (const { method, headers, plain } of cases) {
    const request = { method, headers: new Headers(headers) };
    assert.equal(isPlain(request, undefined, shortPath), plain, JSON.stringify({ method, headers }));
    assert.equal(isPlain(request, { once: "1" }, shortPath), plain, "props of somebody else");
    assert.equal(isPlain(request, { isr: "render" }, shortPath), false);
  }
});
