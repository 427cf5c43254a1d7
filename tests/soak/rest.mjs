/**
 * What must hold once the traffic and the faults have ended.
 *
 * | promise | checked |
 * |---|---|
 * | an acknowledged invalidation holds | two pages of each show that edit or a later one, as a HIT or MISS, in each colo |
 * | it has reached every shard | no delivery of the recent invalidations is pending |
 * | no lease is stuck | no shard has a render under way, and no write to L2 is due |
 */
import { setTimeout as sleep } from "node:timers/promises";

import { COLOS, SHARDS } from "./runtime.mjs";

/** How long a page, a delivery or a shard may take to come to rest, in milliseconds: longer than any pause after a failure. */
const PATIENCE_MILLIS = 400_000;

/** How many pages of an invalidation are asked for. */
const PAGES_OF_EACH = 2;

/** How many of the last invalidations are looked up. */
const LOOKED_UP = 200;

/** The number of requests at the same time. */
const AT_A_TIME = 8;

export async function atRest({ site, runtime, visits, editor }) {
  await inParallel(promisedPages(site.list), (page) => shown(page, visits));
  await inParallel(editor.numbers.slice(-LOOKED_UP), (seq) => delivered(seq, runtime, visits));
  const shards = Object.entries(SHARDS).flatMap(([route, count]) => Array.from({ length: count }, (_, n) => `${route}#${n}`));
  for (const shard of shards) await idle(shard, runtime, visits);
}

/** Returns a few pages of each acknowledged invalidation that was the last one of these pages. */
function promisedPages(list) {
  const byTime = Map.groupBy(list.filter((page) => page.promised.edit > 0), (page) => page.promised.since);
  return [...byTime.values()].flatMap((pages) => pages.slice(0, PAGES_OF_EACH));
}

async function shown(page, visits) {
  const deadline = Date.now() + PATIENCE_MILLIS;
  for (const colo of COLOS) {
    let last;
    do {
      last = await visits.visit(page, colo, {});
      const edit = last?.status === 200 ? JSON.parse(last.body.toString().split("\n", 1)[0]).edit : -1;
      if (["HIT", "MISS"].includes(last?.isr) && edit >= page.promised.edit) break;
      last = undefined;
      await sleep(250);
    } while (Date.now() < deadline);
    if (last === undefined) visits.report("rest", `${page.path} does not show edit ${page.promised.edit} in ${colo}`);
  }
}

async function delivered(seq, runtime, visits) {
  const deadline = Date.now() + PATIENCE_MILLIS;
  let progress;
  do {
    const { status, json } = await runtime.admin(`/__isr/invalidations/${seq}`);
    progress = status === 200 ? json : undefined;
    if (progress?.shards?.pending === 0) return;
    await sleep(250);
  } while (Date.now() < deadline);
  visits.report("rest", `invalidation ${seq} is not delivered: ${JSON.stringify(progress)}`);
}

async function idle(shard, runtime, visits) {
  const deadline = Date.now() + PATIENCE_MILLIS;
  let state;
  do {
    const { json } = await runtime.admin(`/__isr/inspect?shard=${encodeURIComponent(shard)}&limit=1`);
    ({ state } = json);
    if (state && state.renders === 0 && state.l2.pending === 0) return;
    await sleep(1000);
  } while (Date.now() < deadline);
  visits.report("rest", `${shard} is not idle: ${JSON.stringify(state)}`);
}

async function inParallel(list, work) {
  const rest = [...list];
  await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
    for (let one = rest.pop(); one !== undefined; one = rest.pop()) await work(one);
  }));
}
