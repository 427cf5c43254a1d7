/**
 * Two versions at once: `cargo xtask test --upgrade`. README.md explains it.
 *
 * The clients, the edits, the origin and the checks are those of the soak test.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Editor } from "../soak/editor.mjs";
import { atRest } from "../soak/rest.mjs";
import { COLOS } from "../soak/runtime.mjs";
import { EXPIRE, Site } from "../soak/site.mjs";
import { Visits } from "../soak/visits.mjs";
import { rollback } from "./rollback.mjs";
import { Runtime } from "./runtime.mjs";

const previous = process.env.ISR_PREVIOUS;
if (!previous) throw new Error("ISR_PREVIOUS is not set: run `cargo xtask test --upgrade`");

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "8" }, steps: { type: "string", default: "" } },
});
/** How long each combination runs. It is several times the freshness bound. */
const MILLIS_OF_EACH = Number(values.seconds) * 1000;
const PAGES = 400;
const CLIENTS = 12;

/**
 * The combinations in their order. Each letter is a part: the edges, the coordinators, the tag index; `o` is the previous
 * version, `n` the working tree's, and `m` stands for edges of both, two of which share an L1.
 *
 * The first eight change one part at a time, as a gradual deployment does. Then everything is rolled back at once and
 * deployed again at once. Then edges of both versions run side by side.
 */
const ORDER = "ooo oon onn ono nno nnn non noo ooo nnn ooo mon mno moo mnn ooo nnn".split(" ");
const steps = values.steps ? values.steps.split(",") : ORDER;

const version = (letter) => (letter === "n" ? "new" : "old");

/** @returns {import("./runtime.mjs").Combination} */
function combination(step) {
  const [edge, coordinator, tagIndex] = step;
  const edges = COLOS.map((_, n) => (edge === "m" ? version("on"[Math.min(n, 1)]) : version(edge)));
  return { edges, coordinator: version(coordinator), tagIndex: version(tagIndex) };
}

/** The soak test's faults: there are none here. */
const noFaults = { lasted: () => false, latencyMillis: 0 };

const site = new Site(PAGES);
const folder = await mkdtemp(path.join(tmpdir(), "isr-upgrade-"));
const runtime = new Runtime({ previous, site: await site.listener.listen(), folder, expire: EXPIRE });
const visits = new Visits(site, runtime, noFaults);
const editor = new Editor(site, runtime, noFaults, visits);
const rows = [];

try {
  await runtime.start(combination(steps[0]));
  const traffic = Promise.all([visits.run(CLIENTS), editor.run()]);
  for (const [n, step] of steps.entries()) {
    if (n > 0) await runtime.start(combination(step));
    rows.push(await observe(step));
    process.stderr.write(`${row(rows.at(-1))}\n`);
    if (n < steps.length - 1) await kill();
  }
  visits.stop();
  editor.stop();
  await traffic;
  process.stderr.write("at rest: whether every promise holds\n");
  await atRest({ site, runtime, visits, editor });
} finally {
  await runtime.kill();
  visits.close();
  site.listener.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

process.stderr.write("a rollback in the middle of an eager refresh\n");
const another = await mkdtemp(path.join(tmpdir(), "isr-rollback-"));
const rolledBack = await rollback({ previous, folder: another, expire: EXPIRE }).catch((error) => {
  visits.report("rollback", error.message);
  return "the rollback has failed";
});
await rm(another, { recursive: true, force: true, maxRetries: 3 });

for (const { path: page, at, others } of site.overlaps) {
  visits.report("exclusivity", `${page}: a render began at ${new Date(at).toISOString()} during ${others.length} other`);
}
process.stdout.write(report());
process.exit(visits.violations.size === 0 ? 0 : 1);

/** Kills the runtime in the middle of the traffic. */
async function kill() {
  site.killed();
  await runtime.kill();
}

/** Lets the traffic run, and returns what happened meanwhile. */
async function observe(step) {
  const before = counts();
  await sleep(MILLIS_OF_EACH);
  const after = counts();
  const changes = Object.fromEntries(Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]));
  if (changes.passes > 0) visits.report("passed", `${changes.passes} requests went past the cache in ${step}`);
  return { step, ...changes };
}

function counts() {
  const { requests, violations } = visits;
  const failed = ["availability", "no response", "status", "integrity", "invalidation"];
  const late = ["freshness", "purge"];
  const sum = (kinds) => kinds.reduce((sum, kind) => sum + (violations.get(kind)?.count ?? 0), 0);
  const { renders, passes } = site;
  return {
    requests, renders, passes,
    hits: visits.outcomes.get("HIT") ?? 0,
    stale: visits.outcomes.get("STALE") ?? 0,
    invalidations: editor.acknowledged,
    failed: sum(failed),
    late: sum(late),
  };
}

function row({ step, requests, hits, stale, renders, passes, invalidations, failed, late }) {
  const word = { o: "old", n: "new", m: "both" };
  const share = (count) => `${((100 * count) / requests).toFixed(1)} %`;
  const parts = [...step].map((letter) => word[letter]).join(" | ");
  return `| ${parts} | ${requests} | ${share(hits)} | ${share(stale)} | ${renders} | ${passes} | ${invalidations} | ${failed} | ${late} |`;
}

function report() {
  const head = "| edge | coordinator | tag index | requests | HIT | STALE | renders | passed | invalidations | failed | late |";
  const table = [head, head.replaceAll(/[^|]+/g, "---"), ...rows.map(row)];
  const described = [...visits.violations].flatMap(([kind, { count, first }]) => [
    `- ${kind}: ${count}`,
    ...first.map((line) => `  - ${line}`),
  ]);
  const logged = [...runtime.logged].sort(([, a], [, b]) => b - a).map(([line, count]) => `- logged ${count} times: ${line}`);
  return `${[...table, "", `requests cut off by a kill: ${visits.cutOff}`, rolledBack, ...described, ...logged.slice(0, 20)].join("\n")}\n`;
}
