/** How the dashboard makes charts of counters: `src/edge/dashboard/counters.ts`. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";

import { build } from "esbuild";

import { root } from "./harness.mjs";

const { outputFiles: [{ text }] } = await build({ entryPoints: [path.join(root, "src/edge/dashboard/counters.ts")], write: false, format: "esm" });
const { Growth, Minutes, isComplete, labelOf, samplesOf, sumBy } = await import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);

const samples = (values) => new Map(Object.entries(values));

test("the text format is read, and summed up by a label", () => {
  const read = samplesOf('# HELP isr_requests requests\n# TYPE isr_requests counter\n\nisr_requests_total{route="/a b",outcome="HIT",reason=""} 3\nisr_requests_total{route="/[x]",outcome="HIT",reason="memory"} 4\nisr_requests_total{route="/",outcome="MISS",reason=""} 1e3\nisr_healthy 1\nbroken\nisr_bad x\n');
  assert.equal(read.size, 4);
  assert.deepEqual(sumBy(read, "isr_requests_total", "outcome"), new Map([["HIT", 7], ["MISS", 1000]]));
  assert.deepEqual(sumBy(read, "isr_requests", "outcome"), new Map(), "the whole name");
  assert.equal(labelOf('x{reason_outcome="a",outcome="b"}', "outcome"), "b");
  assert.equal(labelOf('x{route="outcome="}', "outcome"), undefined);
});

test("only the growth since the first scrape counts", () => {
  const growth = new Growth();
  assert.deepEqual(growth.take(samples({ a: 100 }), true), new Map());
  assert.deepEqual(growth.take(samples({ a: 103, b: 5 }), true), new Map([["a", 3], ["b", 5]]), "a new counter begins at 0");
  assert.deepEqual(growth.take(samples({ b: 5 }), false), new Map(), "an object did not answer");
  assert.deepEqual(growth.take(samples({ a: 110, b: 6 }), true), new Map([["a", 7], ["b", 1]]), "nothing is lost");
  assert.deepEqual(growth.take(samples({ a: 2 }), true), new Map(), "it is another counter");
  assert.deepEqual(growth.take(samples({ a: 4 }), true), new Map([["a", 2]]));
});

test("a counter that was missing in the first scrape is no sudden growth", () => {
  const growth = new Growth();
  growth.take(samples({ a: 1 }), false);
  assert.deepEqual(growth.take(samples({ a: 1, old: 1_000_000 }), true), new Map());
  assert.deepEqual(growth.take(samples({ a: 1, old: 1_000_001 }), true), new Map([["old", 1]]));
});

test("values are collected by minute, without gaps, and bounded", () => {
  const minutes = new Minutes(["x", "y"], 3);
  minutes.add(60_000, samples({ x: 1 }));
  minutes.add(119_999, samples({ x: 2, y: 5, other: 9 }));
  assert.deepEqual(minutes.columns, [[60], [3], [5]]);
  minutes.add(240_000, samples({ y: 1 }));
  assert.deepEqual(minutes.columns, [[120, 180, 240], [0, 0, 0], [0, 0, 1]]);
  minutes.add(1000, samples({ y: 100 }));
  assert.deepEqual(minutes.totals, [0, 1], "a clock that goes back");
  minutes.add(1e12, samples({ x: 4 }));
  assert.deepEqual([minutes.columns[0].length, minutes.totals], [3, [4, 0]], "a day's sleep");
});

test("a scrape is complete if every object that was asked has answered", () => {
  const all = { isr_tag_indexes_asked: 1, isr_tag_indexes_answered: 1, isr_coordinators_asked: 3, isr_coordinators_answered: 3 };
  assert.ok(isComplete(samples(all)));
  assert.ok(!isComplete(samples({ ...all, isr_coordinators_answered: 2 })));
  assert.ok(!isComplete(samples({ ...all, isr_tag_indexes_answered: 0 })));
});
