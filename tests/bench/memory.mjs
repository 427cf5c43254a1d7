// The memory of a waiting request, and of a held page, in bytes.

import { setTimeout as sleep } from "node:timers/promises";
import { BYTES, key, Objects, shard } from "./objects.mjs";
import { median } from "./stats.mjs";

const WAITERS = 5000;
const PAGES = 500;
const PAGE_BYTES = 20_480;

const OWN = shard("page", 0);
const JOB = { object: OWN, shard: OWN, event: "miss" };

/** The objects that are measured, and the Workers in whose isolates they live. */
const ROWS = [
  { label: `a waiter (of ${WAITERS})`, object: "coordinator", measure: (objects) => waiter(objects, "counted", "counted") },
  { label: "", object: "bare", measure: (objects) => waiter(objects, "BARE_PARKS", "bare") },
  { label: `a page held (of ${PAGES}), without its body`, object: "coordinator", measure: (objects) => page(objects, "counted", "counted") },
  { label: "", object: "bare", measure: (objects) => page(objects, "BARE_RENDERS", "bare") },
];

/** How often each row is measured: the rounds hardly differ. */
const ROUNDS = 2;

/** The rows, each time in a process of its own: memory that another run has given back would be taken again unseen. */
export async function memory(options) {
  const rounds = Math.min(ROUNDS, options.rounds);
  const measured = ROWS.map(() => []);
  for (let round = 1; round <= rounds; round++) {
    options.progress(`memory: round ${round} of ${rounds}`);
    for (const [index, { measure }] of ROWS.entries()) {
      const objects = await Objects.start({ inspect: true });
      try {
        measured[index].push(await measure(objects));
      } finally {
        await objects.stop();
      }
    }
  }
  return ROWS.map(({ label, object }, index) => {
    const of = (field) => median(measured[index].map((one) => one[field]));
    return { label, object, wasm: of("wasm"), heap: of("heap"), resident: of("resident"), rounds: measured[index] };
  });
}

async function waiter(objects, to, worker) {
  if (to !== "counted") await objects.copy({ ...JOB, bytes: BYTES, to: "counted", key: key("page", 0, "first"), copyTo: to });
  const park = async (name, count) => {
    const job = { ...JOB, bytes: BYTES, to, key: key("page", 0, name), count, waits: true };
    await objects.hold(job.key);
    return objects.park(job);
  };
  const warm = await park("warm", 200);
  await objects.letGo(key("page", 0, "warm"));
  await warm.end();
  const before = await objects.memory(worker, OWN);
  await park("hung", WAITERS);
  const after = await objects.memory(worker, OWN);
  // Their answers are of no interest: the process ends now.
  return difference(before, after, WAITERS);
}

async function page(objects, to, worker) {
  if (to !== "counted") await objects.copy({ ...JOB, bytes: PAGE_BYTES, to: "counted", key: key("page", 0, "first", PAGE_BYTES), copyTo: to });
  const render = async (name, count) => {
    await objects.send({ ...JOB, bytes: PAGE_BYTES, to, key: key("page", 0, name, PAGE_BYTES), distinct: true, count, connections: 8 });
    // KV has them by then.
    await sleep(500);
    return objects.memory(worker, OWN);
  };
  const before = await render("warm-", 50);
  const after = await render("held-", PAGES);
  const { wasm, heap, resident } = difference(before, after, PAGES);
  return { wasm, heap: heap - PAGE_BYTES, resident: resident === undefined ? undefined : resident - PAGE_BYTES };
}

function difference(before, after, number) {
  const of = (field) => (before[field] === undefined ? undefined : (after[field] - before[field]) / number);
  return { wasm: of("wasm"), heap: of("heap"), resident: of("resident") };
}
