/** The parts of the entry module that run without the platform. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { transform } from "esbuild";

const root = path.resolve(import.meta.dirname, "../..");

/** Imports a module of `src/edge/entry/` that imports nothing itself. */
async function load(name) {
  const source = await readFile(path.join(root, "src/edge/entry", name), "utf8");
  const { code } = await transform(source, { loader: "ts" });
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
}

test("a request takes the short path, or not, as the classification in Rust expects", async () => {
  const { isPlain } = await load("plain.ts");
  // src/visit/classify/tests.rs reads the same cases, and compares `shortPath` with what it declares.
  const { shortPath, cases } = JSON.parse(await readFile(path.join(root, "tests/vectors/short-path.json"), "utf8"));
  for (const { method, headers, plain } of cases) {
    const request = { method, headers: new Headers(headers) };
    assert.equal(isPlain(request, undefined, shortPath), plain, JSON.stringify({ method, headers }));
    assert.equal(isPlain(request, { once: "1" }, shortPath), plain, "props of somebody else");
    assert.equal(isPlain(request, { isr: "render" }, shortPath), false);
  }
});

/** What is in a memory, of these keys. Looking is using: each key is looked at once. */
const held = (memory, keys) => keys.filter((key) => memory.get(key) !== undefined);
const text = (length, name) => `${name}${"x".repeat(length - String(name).length)}`;

test("a page is not for a request with a header or a cookie that its plan excludes", async () => {
  const { isExcluded } = await load("plain.ts");
  const exclusions = [{ name: "cookie", containing: ["member", "wordpress_logged_in_"] }, { name: "rsc", containing: [] }];
  for (const [headers, excluded] of [
    [{}, false],
    [{ accept: "*/*", cookie: "_ga=1" }, false],
    [{ cookie: "_ga=1; member=1" }, true],
    [{ cookie: "wordpress_logged_in_3f=1" }, true],
    [{ rsc: "" }, true],
    [{ "x-rsc": "1" }, false],
  ]) {
    assert.equal(isExcluded(new Headers(headers), exclusions), excluded, JSON.stringify(headers));
  }
});

test("a flood of keys that are used once empties no memory", async () => {
  const { Memory } = await load("memory.ts");
  const memory = new Memory(1_000_000);
  const popular = Array.from({ length: 500 }, (_, number) => `popular/${number}`);
  for (const key of popular) memory.set(key, { length: 20 });
  held(memory, popular);
  for (let number = 0; number < 100_000; number += 1) {
    memory.set(`made-up/${number}`, { length: 0 });
    // Few uses of the popular ones are enough.
    if (number % 20_000 === 0) held(memory, popular);
  }
  assert.deepEqual(held(memory, popular), popular);
  // Nor do a thousand at once, of which each is used a second time.
  for (let number = 0; number < 1000; number += 1) {
    memory.set(`twice/${number}`, { length: 0 });
    memory.get(`twice/${number}`);
  }
  assert.deepEqual(held(memory, popular), popular);
});

test("a memory counts the length of keys and values, however few they are", async () => {
  const { Memory } = await load("memory.ts");
  for (const uses of [1, 2]) {
    const memory = new Memory(1_000_000);
    const long = Array.from({ length: 1000 }, (_, number) => text(8_000, number));
    for (const key of long) {
      memory.set(key, { length: 2_000 });
      for (let use = 1; use < uses; use += 1) memory.get(key);
    }
    const { length } = held(memory, long);
    assert.ok(length > 5 && length * 10_100 <= 1_000_000, `${length} of 10,000 code units after ${uses} uses`);
  }
  const memory = new Memory(1_000);
  memory.set("too long", { length: 1_000 });
  assert.equal(memory.get("too long"), undefined);
});

test("what is remembered again replaces what was there, in each part of a memory", async () => {
  const { Memory } = await load("memory.ts");
  const memory = new Memory(8_000);
  const value = (what, length = 0) => ({ what, length });
  memory.set("a", value("on probation"));
  memory.set("a", value("again on probation"));
  assert.equal(memory.get("a").what, "again on probation");
  memory.set("a", value("young"));
  assert.equal(memory.get("a").what, "young");
  for (let number = 0; number < 29; number += 1) {
    memory.set(`other/${number}`, value("other"));
    memory.get(`other/${number}`);
  }
  memory.set("a", value("after it was old"));
  assert.equal(memory.get("a").what, "after it was old");
  memory.set("a", value("too long", 9_000));
  assert.equal(memory.get("a"), undefined, "no value from before");
});
