/**
 * The public test suite for HTTP caches, run against the gateway: see tests/conformance/run.mjs. The result of each
 * test must match tests/conformance/expected.mjs.
 */
import assert from "node:assert/strict";
import { readFile, statfs } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { deviationOf, deviations, isExpected, listedIn } from "../conformance/expected.mjs";
import { dialects, routes, run, startSite, suite } from "../conformance/run.mjs";
import { newFolder, root, start } from "./harness.mjs";

const names = Object.keys(dialects);
let results;
let site;

before(async () => {
  site = await startSite();
  const origin = `http://127.0.0.1:${site.address().port}`;
  // In memory, where there is room (it takes 40 MB): else most of the time is spent waiting for a disk.
  const hasRoom = await statfs("/dev/shm").then(({ bavail, bsize }) => bavail * bsize > 200e6, () => false);
  const folder = await newFolder(hasRoom ? "/dev/shm" : undefined);
  const gateways = {};
  for (const http of ["isr", "standard"]) {
    const isr = { origin, http, freshness_bound: 300, routes };
    gateways[http] = await start({ origin: null, isr, folder: path.join(folder, http) });
  }
  results = await run(gateways, isExpected);
  summarize();
});
after(() => {
  site.closeAllConnections();
  site.close();
});

test("the list of deviations names tests of the suite, each once in a dialect", () => {
  const ids = suite.flatMap((group) => group.tests.map(({ id }) => id));
  for (const dialect of names) {
    const listed = deviations.flatMap((deviation) => listedIn(deviation, dialect));
    assert.deepEqual(listed.toSorted(), ids.filter((id) => deviationOf(id, dialect)).toSorted());
  }
});

test("docs/http.md tells how many pass, and of each reason how many tests do not", async () => {
  const told = await readFile(path.join(root, "docs/http.md"), "utf8");
  const tests = suite.flatMap((group) => group.tests);
  for (const kind of ["required", "optimal", "check"]) {
    const ids = tests.filter((test) => test.kind === kind).map(({ id }) => id);
    const passed = names.map((dialect) => ids.filter((id) => !deviationOf(id, dialect)).length);
    assert.match(told, new RegExp(`^\\| ${kind}: .+ \\| ${ids.length} \\| ${passed.join(" \\| ")} \\|$`, "m"));
  }
  const against = Object.fromEntries(names.map((dialect) => [dialect,
    tests.filter(({ id, kind }) => kind === "required" && deviationOf(id, dialect)?.why.includes("(against ")).length]));
  const sentence = `${against.plain} of *plain*, ${against.shared} of *shared* and ${against.standard} of *standard* are against a rule of RFC 9111`;
  assert.ok(told.includes(sentence), sentence);
  const forAll = suite.filter(({ id }) => id !== "surrogate-control").flatMap((group) => group.tests);
  const required = forAll.filter(({ kind }) => kind === "required");
  const passed = required.filter(({ id }) => !deviationOf(id, "standard")).length;
  assert.equal(required.length, 157, "as in the published results");
  assert.ok(passed >= 140, `${passed} of 157 pass with the standard rules`);
  assert.match(told, new RegExp(`^\\| this cache, \\*standard\\* \\| ${passed} \\|$`, "m"));
  for (const deviation of deviations) {
    const counts = names.map((dialect) => {
      const listed = tests.filter(({ id }) => deviationOf(id, dialect) === deviation);
      const required = listed.filter(({ kind }) => kind === "required").length;
      return required > 0 ? `${listed.length} (${required})` : `${listed.length}`;
    });
    const row = `| ${counts.join(" | ")} | ${deviation.why} |`;
    assert.ok(told.split("\n").some((line) => line.endsWith(row)), `there is no row that ends with ${row}`);
  }
});

for (const group of suite) {
  describe(group.name, () => {
    for (const { id } of group.tests) {
      test(id, () => {
        for (const dialect of names) {
          const why = results.get(`${id}/${dialect}`).at(-1);
          const { says } = deviationOf(id, dialect) ?? {};
          assert.ok(isExpected(id, dialect, why), `${dialect}: ${why ?? "it passes"}; expected was ${says ?? "that it passes"}`);
        }
      });
    }
  });
}

test("docs/http.md tells how many other caches pass, as they are published with the suite", async () => {
  const told = await readFile(path.join(root, "docs/http.md"), "utf8");
  const published = { Squid: "squid", Apache: "apache", "Traffic Server": "trafficserver", Varnish: "varnish", nginx: "nginx", Fastly: "fastly" };
  const tests = suite.filter(({ id }) => id !== "surrogate-control").flatMap((group) => group.tests);
  for (const [name, file] of Object.entries(published)) {
    const found = JSON.parse(await readFile(path.join(root, `node_modules/http-cache-tests/results/${file}.json`), "utf8"));
    const passed = tests.filter(({ id, kind }) => kind === "required" && found[id] === true).length;
    assert.match(told, new RegExp(`^\\| ${name}( .+)? \\| ${passed} \\|$`, "m"), name);
  }
});

/** Prints how many tests of each group and kind have passed, are deviations, or have failed, and which were run more than once. */
function summarize() {
  for (const dialect of names) {
    const count = (tests) => {
      const came = (wanted) => tests.filter(({ id }) => wanted === outcome(id, dialect)).length;
      return `${came("passed")} passed, ${came("deviates")} deviate, ${came("failed")} failed`;
    };
    console.log(`conformance, ${dialect}:`);
    for (const group of suite) console.log(`  ${group.name}: ${count(group.tests)}`);
    for (const kind of ["required", "optimal", "check"]) {
      console.log(`  all that are ${kind}: ${count(suite.flatMap(({ tests }) => tests.filter((test) => test.kind === kind)))}`);
    }
  }
  const again = [...results].filter(([, attempts]) => attempts.length > 1);
  console.log(`conformance: ${again.length} were run more than once`);
  for (const [name, attempts] of again) console.log(`  ${name}: ${attempts.map((why) => why ?? "passed").join("; then ")}`);
}

function outcome(id, dialect) {
  const why = results.get(`${id}/${dialect}`).at(-1);
  if (!isExpected(id, dialect, why)) return "failed";
  return why === undefined ? "passed" : "deviates";
}
