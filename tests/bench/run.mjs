// The benchmark: `cargo xtask bench`, or `node tests/bench/run.mjs` when `build/` is up to date. `--help` lists the
// options. README.md explains the rows.

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Bench } from "./bench.mjs";
import { cost } from "./cost.mjs";
import { events } from "./events.mjs";
import { feed } from "./feed.mjs";
import { memory } from "./memory.mjs";
import { facts, markdown, sizes } from "./report.mjs";
import { rows } from "./rows.mjs";
import { ROOT } from "./runtime.mjs";
import { tags } from "./tags.mjs";

/** What can be measured: at the Worker, at several of them, and at the coordinator object. */
const AT_WORKER = ["isolate", "l1", "l2", "stampede"];
const AT_EDGES = ["feed"];
const AT_OBJECT = ["events", "rows", "memory", "tags", "cost"];
const ALL = [...AT_WORKER, ...AT_EDGES, ...AT_OBJECT];

const HELP = `Measures the gateway against a bare Worker with a cache, and against the uncached site; and its coordinator
against bare objects.

  --quick            3 rounds
  --rounds N         how often each is measured (20)
  --seconds S        how long, each time (0.5)
  --connections N    how many requests are under way at any time (16)
  --only ROWS        ${ALL.join(", ")}; several with commas
  --against DIR      measures another checkout too, with its own build/
  --json FILE        writes the numbers to a file
`;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    seconds: { type: "string" },
    connections: { type: "string", default: "16" },
    only: { type: "string", default: ALL.join(",") },
    against: { type: "string" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(HELP);
} else {
  const only = values.only.split(",");
  const unknown = only.filter((name) => !ALL.includes(name));
  if (unknown.length > 0) refuse(`--only: there is no ${unknown.join(", ")}; there are ${ALL.join(", ")}`);

  const options = {
    rounds: positive("rounds", values.quick ? 3 : 20),
    seconds: positive("seconds", 0.5),
    connections: positive("connections"),
    against: values.against,
    progress: (message) => process.stderr.write(`    ${message}\n`),
  };
  const report = { facts: facts(options), sizes: sizes(ROOT), hits: [], stampede: [], feed: [], events: [], rows: [], memory: [], tags: [], cost: [] };
  if (AT_WORKER.some((name) => only.includes(name))) {
    const bench = await Bench.start(options);
    try {
      if (only.includes("isolate")) report.hits.push(...(await bench.memory()));
      if (only.includes("l1")) report.hits.push(...(await bench.l1()));
      if (only.includes("l2")) report.hits.push(await bench.l2());
      if (only.includes("stampede")) report.stampede = await bench.stampede();
    } finally {
      await bench.stop();
    }
  }
  if (only.includes("feed")) report.feed = await feed(options);
  if (only.includes("events")) report.events = await events(options);
  if (only.includes("rows")) report.rows = await rows(options);
  if (only.includes("memory")) report.memory = await memory(options);
  if (only.includes("tags")) report.tags = await tags(options);
  if (only.includes("cost")) report.cost = await cost(options);
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(markdown(report));
}

function positive(name, otherwise) {
  const number = values[name] === undefined ? otherwise : Number(values[name]);
  if (!(number > 0)) refuse(`--${name}: a number above 0`);
  return number;
}

function refuse(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
