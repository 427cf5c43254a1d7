// The report, in Markdown.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { perMillion, PRICES, price } from "./cost.mjs";
import { median, quantile, short } from "./stats.mjs";

/** What the gateway is meant to reach, in requests per second of the bare Worker. */
const TARGET = { label: "L1 HIT 50 KB", ratio: 0.9 };

/** What an invalidation of a tag with many pages may take, next to one of a tag with few. */
const MOST_FOR_MANY = 2;

/** Within how many milliseconds the last colo sees an invalidation if the feed is pushed. */
const MOST_WITH_PUSH = 250;

/** What the numbers depend on. */
export function facts(options) {
  const version = (name) => createRequire(import.meta.url)(`${name}/package.json`).version;
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    os: `${process.platform} ${process.arch}`,
    node: process.version,
    workerd: version("workerd"),
    miniflare: version("miniflare"),
    rounds: options.rounds,
    seconds: options.seconds,
    connections: options.connections,
  };
}

/** How big the Worker is. */
export function sizes(root) {
  return ["build/index_bg.wasm", "build/index.js"].map((path) => {
    const bytes = readFileSync(join(root, path));
    return { path, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
  });
}

export function markdown({ facts, sizes, hits, stampede, feed, events, rows, memory, tags, cost }) {
  const parts = [
    `${facts.cores} × ${facts.cpu}, ${facts.os}; Node.js ${facts.node}, workerd ${facts.workerd}, Miniflare ` +
      `${facts.miniflare}. ${facts.connections} connections, ${facts.rounds} rounds of ${facts.seconds} s each, medians.`,
  ];
  if (hits.length > 0) parts.push("## Answers from cache", hitTable(hits), target(hits), withKv(hits));
  if (stampede.length > 0) parts.push("## Cold stampede", stampedeTable(stampede));
  if (feed.length > 0) parts.push("## Time until an invalidation is seen", feedTable(feed), feedTarget(feed));
  if (events.length > 0) parts.push("## Events at one coordinator", eventTable(events));
  if (rows.length > 0) parts.push("## What an event costs", costTable(rows), "Rows written, by statement:", statementTable(rows));
  if (memory.length > 0) parts.push("## Memory of a coordinator", memoryTable(memory));
  if (tags.length > 0) parts.push("## Acknowledgement of an invalidation", tagTable(tags), tagTarget(tags), "Rows read, by statement:", readTable(tags));
  if (cost.length > 0) parts.push("## What it costs", priceTable(cost), hitTarget(cost), viewTable(cost), feedPrice(cost));
  parts.push("## Size", sizeTable(sizes));
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}

function hitTable(rows) {
  const head = ["", "Worker", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "requests/s to bare", "CPU to bare"];
  const lines = rows.flatMap(({ label, targets }) =>
    Object.entries(targets).map(([name, it], index) => [
      index === 0 ? label : "",
      name,
      ...[it.perSecond, it.p50, it.p99, it.cpuMicros, it.ratio, it.cpuRatio].map(short),
    ]),
  );
  return table(head, lines, 2);
}

function target(rows) {
  const reached = rows.find(({ label }) => label === TARGET.label)?.targets.gateway.ratio;
  if (reached === undefined) return undefined;
  const verdict = reached >= TARGET.ratio ? "met" : "NOT met";
  return `Target: ${TARGET.label} at ${TARGET.ratio} of the bare Worker's requests/s or better: **${verdict}** (${short(reached)}).`;
}

function withKv(rows) {
  const targets = rows.map(({ targets }) => targets).find((targets) => "bare + KV" in targets);
  if (targets === undefined) return undefined;
  const ratio = targets.gateway.perSecond / targets["bare + KV"].perSecond;
  return `From L2 the gateway gives ${short(ratio)} of the requests/s of a bare Worker that reads KV and fills its cache.`;
}

function stampedeTable(rows) {
  const head = ["Worker", "requests at once", "render takes ms", "renders", "p50 ms", "p99 ms"];
  const lines = rows.map(({ name, requests, delayMillis, rounds }) => [
    name,
    `${requests}`,
    `${delayMillis}`,
    [...new Set(rounds.map(({ renders }) => renders))].join(", "),
    short(median(rounds.map(({ p50 }) => p50))),
    short(median(rounds.map(({ p99 }) => p99))),
  ]);
  return table(head, lines, 1);
}

function eventTable(rows) {
  const head = ["", "object", "events/s", "CPU µs/event", "events/s to bare", "CPU to bare"];
  const lines = rows.flatMap(({ label, targets }) =>
    Object.entries(targets).map(([name, it], index) => [
      index === 0 ? label : "",
      name,
      ...[it.perSecond, it.cpuMicros, it.ratio, it.cpuRatio].map(short),
    ]),
  );
  return table(head, lines, 2);
}

function costTable(rows) {
  const head = ["per event", "rows written", "alarms set", "rows read", "statements", "alarm runs", "KV writes", "KV reads", "calls", "renders"];
  const names = ["alarmRuns", "kvWrites", "kvReads", "objectCalls", "renders"];
  const lines = rows.map(({ label, events, numbers, statements }) => {
    const sum = (field) => Object.values(statements).reduce((sum, statement) => sum + statement[field], 0);
    const figures = [sum("rowsWritten"), numbers.alarmsSet, sum("rowsRead"), sum("times"), ...names.map((name) => numbers[name])];
    return [label, ...figures.map((figure = 0) => exact(figure / events))];
  });
  return table(head, lines, 1);
}

function statementTable(rows) {
  const lines = rows.flatMap(({ label, events, statements }) =>
    Object.entries(statements)
      .filter(([, { rowsWritten }]) => rowsWritten > 0)
      .map(([text, { times, rowsWritten }], index) => [
        index === 0 ? label : "",
        `\`${/^[A-Z ]+ \w+/.exec(text)?.[0] ?? text}\``,
        exact(times / events),
        exact(rowsWritten / events),
      ]),
  );
  return table(["per event", "statement", "times", "rows written"], lines, 2);
}

function memoryTable(rows) {
  const head = ["bytes", "object", "Wasm", "heap", "process"];
  const bytes = (number) => (number === undefined || Number.isNaN(number) ? "–" : `${Math.round(number)}`);
  const lines = rows.map(({ label, object, wasm, heap, resident }) => [label, object, ...[wasm, heap, resident].map(bytes)]);
  return table(head, lines, 2);
}

function feedTable(rows) {
  const head = ["`feed`", "invalidations", "each colo: p50 ms", "p99 ms", "last colo: p50 ms", "p99 ms", "most ms"];
  const lines = rows.map(({ feed, each, last }) => {
    const times = [median(each), quantile(each, 0.99), median(last), quantile(last, 0.99), Math.max(...last)];
    return [feed, `${last.length}`, ...times.map(short)];
  });
  return table(head, lines, 1);
}

function feedTarget(rows) {
  const last = quantile(rows.find(({ feed }) => feed === "push").last, 0.99);
  const verdict = last < MOST_WITH_PUSH ? "met" : "NOT met";
  return `Target: p99 of the last colo under ${MOST_WITH_PUSH} ms with streams: **${verdict}** (${short(last)}).`;
}

function tagTable(tags) {
  const head = ["tag", "pages", "p50 ms", "p90 ms", "to few", "object", "statements", "rows read", "rows written", "calls", "Wasm", "heap"];
  const [few] = tags;
  const lines = tags.flatMap(({ tag, pages, millis, invalidations, tagIndex, coordinators, wasm, heap }) => {
    const figures = ({ numbers, statements }) => {
      const sum = (field) => Object.values(statements).reduce((sum, statement) => sum + statement[field], 0);
      return [sum("times"), sum("rowsRead"), sum("rowsWritten"), numbers.objectCalls ?? 0].map((figure) => exact(figure / invalidations));
    };
    const times = [median(millis), quantile(millis, 0.9), median(millis) / median(few.millis)].map(short);
    return [
      [tag, `${pages}`, ...times, "tag index", ...figures(tagIndex), `${wasm}`, `${Math.round(heap)}`],
      ["", "", "", "", "", "coordinators", ...figures(coordinators), "", ""],
    ];
  });
  return table(head, lines, 1);
}

function tagTarget([few, many]) {
  const ratio = median(many.millis) / median(few.millis);
  const verdict = ratio <= MOST_FOR_MANY ? "met" : "NOT met";
  return `Target: the tag with many pages within ${MOST_FOR_MANY} times of the one with few: **${verdict}** (${short(ratio)}).`;
}

function readTable(tags) {
  const lines = tags.flatMap(({ tag, invalidations, tagIndex, coordinators }) =>
    [...Object.entries(tagIndex.statements), ...Object.entries(coordinators.statements)]
      .filter(([, { rowsRead }]) => rowsRead / invalidations > 10)
      .map(([text, { times, rowsRead }], index) => [index === 0 ? tag : "", `\`${text}\``, exact(times / invalidations), exact(rowsRead / invalidations)]),
  );
  return table(["tag", "statement", "times", "rows read"], lines, 2);
}

/** The hit ratios for which the report shows the cost of page views. */
const SHARES = [0.9, 0.99, 0.999];

function priceTable(rows) {
  const head = ["", "per", "object calls", "KV reads", "KV writes", "rows written", "alarms set", "alarm runs", "rows read", "USD per million"];
  const names = ["objectCalls", "kvReads", "kvWrites", "rowsWritten", "alarmsSet", "alarmRuns", "rowsRead"];
  const lines = rows.map((row) => {
    const per = row.label.startsWith("HIT") ? 1000 : 1;
    const figures = names.map((name) => exact(((row.numbers[name] ?? 0) / row.events) * per));
    return [row.label, `${per}`, ...figures, dollars(price(row))];
  });
  const prices = Object.entries(PRICES).map(([name, each]) => `${name} ${each}`).join(", ");
  return `${table(head, lines, 1)}\n\nUSD per million, the request to the Worker included: ${prices}.`;
}

function hitTarget(rows) {
  const { numbers, events } = rows.find(({ label }) => label === "HIT from L1");
  const calls = numbers.objectCalls ?? 0;
  return `Target: at most one call of an object for ${events} HITs but for the feed, with the counts of a minute: **${calls <= 1 ? "met" : "NOT met"}** (${calls}).`;
}

function viewTable(rows) {
  const others = ["MISS that renders", "MISS that renders, 2 tags", "STALE that renders"];
  const lines = SHARES.map((share) => [`${share * 100} % HITs from L1`, ...others.map((other) => dollars(perMillion(rows, share, other)))]);
  return table(["USD per million page views", ...others.map((other) => `the others: ${other}`)], lines, 1);
}

function feedPrice(rows) {
  // An isolate that is never idle asks twice in `freshness_bound`, which is 10 s.
  const month = (30 * 86_400) / 5;
  const asked = rows.reduce((sum, { numbers }) => sum + numbers.feed, 0);
  return (
    `The feed goes by the clock and is not in these figures (${asked} calls while all of this was measured): at most a call ` +
    `every 5 s for an isolate that is never idle, ${dollars((month / 1e6) * PRICES.objectCalls)} USD a month.`
  );
}

function dollars(number) {
  return number >= 1 ? number.toFixed(2) : number.toFixed(3);
}

/** Counts are whole, but for what many events share. */
function exact(number) {
  return Number.isInteger(number) ? `${number}` : number.toFixed(2);
}

function sizeTable(sizes) {
  const kib = (bytes) => (bytes / 1024).toFixed(1);
  return table(["", "KiB", "KiB, gzip -9"], sizes.map(({ path, raw, gzip }) => [`\`${path}\``, kib(raw), kib(gzip)]), 1);
}

/** `words`: how many columns are no numbers. */
function table(head, lines, words) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, index) => (index < words ? "---" : "---:"));
  return [head, rule, ...lines].map(line).join("\n");
}
