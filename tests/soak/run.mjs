/**
 * The soak test: `cargo xtask soak`, or `node tests/soak/run.mjs` when `build/` is up to date. README.md explains it.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Editor } from "./editor.mjs";
import { Faults } from "./faults.mjs";
import { Kv } from "./kv.mjs";
import { atRest } from "./rest.mjs";
import { Runtime } from "./runtime.mjs";
import { EXPIRE, Site } from "./site.mjs";
import { Visits } from "./visits.mjs";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    pages: { type: "string", default: "20000" },
    clients: { type: "string", default: "40" },
    json: { type: "string" },
  },
});
const minutes = number("minutes");
const pages = number("pages");
const clients = number("clients");

/** How often the runtime is killed. */
const LIFE_MILLIS = 60_000;
/** How late the colos see what is written to KV. */
const KV_LAG_MILLIS = 60_000;
const PROGRESS_MILLIS = 10_000;

const site = new Site(pages);
const kv = new Kv(KV_LAG_MILLIS);
const folder = await mkdtemp(path.join(tmpdir(), "isr-soak-"));
const runtime = new Runtime({ site: await site.listener.listen(), kv: await kv.listener.listen(), folder, expire: EXPIRE });
const faults = new Faults(site, kv, runtime);
const visits = new Visits(site, runtime, faults);
const editor = new Editor(site, runtime, faults, visits);
/** The memory of the process at the end of each life, in MiB. */
const memory = [];
let kills = 0;
const began = Date.now();

try {
  await runtime.start();
  const progress = setInterval(printProgress, PROGRESS_MILLIS);
  const traffic = Promise.all([visits.run(clients), editor.run(), faults.run()]);
  const end = began + minutes * 60_000;
  while (Date.now() < end) {
    await sleep(Math.min(LIFE_MILLIS, end - Date.now()));
    memory.push(runtime.memory());
    if (Date.now() < end) await restart();
  }
  visits.stop();
  editor.stop();
  await faults.stop();
  await traffic;
  process.stderr.write("at rest: whether every promise holds\n");
  await atRest({ site, runtime, visits, editor });
  clearInterval(progress);
} finally {
  await runtime.kill();
  visits.close();
  site.listener.close();
  kv.listener.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

for (const { path: page, at, others } of site.overlaps) {
  visits.report("exclusivity", `${page}: a render began at ${new Date(at).toISOString()} during ${others.length} other`);
}
checkMemory();
const report = summary();
if (values.json) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
process.stdout.write(markdown(report));
process.exit(visits.violations.size === 0 ? 0 : 1);

async function restart() {
  await runtime.kill();
  site.killed();
  kills += 1;
  await runtime.start();
  await faults.restore();
}

function printProgress() {
  const seconds = Math.round((Date.now() - began) / 1000);
  const violated = [...visits.violations].map(([kind, { count }]) => `${kind} ${count}`).join(", ") || "none";
  process.stderr.write(
    `${seconds} s: ${visits.requests} requests, ${site.renders} renders, ${editor.acknowledged} invalidations, ` +
      `${kills} kills, ${runtime.memory() ?? "?"} MiB, fault: ${faults.current ?? "none"}, violations: ${violated}\n`,
  );
}

/** Memory is flat if the lives of the second half do not need notably more than those of the first. */
function checkMemory() {
  const lives = memory.filter((one) => one !== undefined);
  if (lives.length < 4) return;
  const half = lives.length >> 1;
  const [early, late] = [median(lives.slice(0, half)), median(lives.slice(half))];
  if (late > early * 1.3 + 50) visits.report("memory", `usually ${early} MiB in the first half, ${late} MiB in the second`);
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

function summary() {
  return {
    minutes, pages, clients, kills,
    requests: visits.requests,
    outcomes: Object.fromEntries([...visits.outcomes].sort()),
    renders: site.renders,
    passes: site.passes,
    invalidations: editor.acknowledged,
    unacknowledged: editor.failed,
    faults: Object.fromEntries([...faults.begun].sort()),
    explained: visits.explained,
    cutOff: visits.cutOff,
    slowestMillis: visits.slowest,
    memoryMiB: memory,
    kvWrites: kv.writes,
    errors: Object.fromEntries([...runtime.errors].sort(([, a], [, b]) => b - a).slice(0, 20)),
    violations: Object.fromEntries(visits.violations),
  };
}

function markdown(report) {
  const { outcomes, faults, violations, errors } = report;
  const counts = (object) => Object.entries(object).map(([name, count]) => `${name} ${count}`).join(", ") || "none";
  const lives = report.memoryMiB.filter((one) => one !== undefined);
  const rows = [
    ["duration", `${report.minutes} min, ${report.clients} clients, ${report.pages} pages, 3 colos`],
    ["requests", `${report.requests}: ${counts(outcomes)}`],
    ["renders, requests passed to the origin", `${report.renders}, ${report.passes}`],
    ["invalidations acknowledged, failed during faults", `${report.invalidations}, ${report.unacknowledged}`],
    ["kills (SIGKILL), requests cut off by them", `${report.kills}, ${report.cutOff}`],
    ["faults", counts(faults)],
    ["errors that the faults explain", String(report.explained)],
    ["slowest response", `${report.slowestMillis} ms`],
    ["memory of the runtime, at the end of each life", lives.length ? `${Math.min(...lives)} to ${Math.max(...lives)} MiB` : "unknown"],
    ["writes to KV", String(report.kvWrites)],
    ["violations", counts(Object.fromEntries(Object.entries(violations).map(([kind, { count }]) => [kind, count])))],
  ];
  const described = Object.entries(violations).flatMap(([kind, { first }]) => first.map((line) => `- ${kind}: ${line}`));
  const logged = described.length ? Object.entries(errors).map(([line, count]) => `- ${count} times: ${line}`) : [];
  const table = ["| | |", "|---|---|", ...rows.map(([name, value]) => `| ${name} | ${value} |`)];
  return `${[...table, "", ...described, ...logged].join("\n")}\n`;
}

function number(name) {
  const value = Number(values[name]);
  if (!(value > 0)) {
    process.stderr.write(`--${name}: a number above 0\n`);
    process.exit(2);
  }
  return value;
}
