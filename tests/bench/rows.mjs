// The platform calls of objects, by kind of event: rows, alarms, KV, messages to each other.

import { setTimeout as sleep } from "node:timers/promises";
import { BYTES, key, Objects, shard } from "./objects.mjs";

/** How many events of a kind are counted together, where one does not change what the next one costs. */
const MANY = 50;

/** After this time an object has done all that it does behind an answer: its alarm looks after a render and a write to L2 11 s later. */
export const QUIET_MILLIS = 12_500;

/** The kinds. Each has an object of its own, which has rendered a first page before. */
const KINDS = [
  { label: "miss that renders", event: "miss", name: "second" },
  { label: "miss that renders, one of many", event: "miss", name: "n", distinct: true, count: MANY },
  { label: "miss that renders, 2 tags", event: "miss", name: "tagged-second", firstName: "tagged-first" },
  { label: "miss that renders, 2 new tags", event: "miss", name: "tagged-second" },
  { label: "stale that renders", route: "stale", event: "stale", name: "first" },
  { label: "stale, render under way", route: "stale", event: "stale", name: "first", count: MANY, parks: true },
  { label: "stale, page just rendered", event: "stale", name: "first", count: MANY },
  { label: "miss, page fresh", event: "miss", name: "first", count: MANY },
];

/**
 * @typedef {object} Row
 * @property {string} label
 * @property {number} events How many were counted.
 * @property {Record<string, number>} numbers What was asked for, but for statements.
 * @property {Record<string, { times: number, rowsRead: number, rowsWritten: number }>} statements
 */

/** @returns {Promise<Row[]>} */
export async function rows({ progress }) {
  const objects = await Objects.start({ renderTimeout: 1 });
  const tagIndex = { label: "tag index: registration of 2 tags", to: "TAG_INDEX", object: "tags#0" };
  const kinds = KINDS.map(job);
  const all = [...kinds, tagIndex];
  const take = () => Promise.all(all.map((object) => objects.counts(object)));
  try {
    progress(`rows: rendering first pages, then ${QUIET_MILLIS / 1000} s of quiet`);
    for (const { first } of kinds) await objects.send(first);
    await sleep(QUIET_MILLIS);
    await take();
    progress(`rows: counting, then ${QUIET_MILLIS / 1000} s of quiet`);
    const early = await Promise.all(kinds.map((kind) => (kind.parks ? parked(objects, kind) : objects.send(kind))));
    await sleep(QUIET_MILLIS);
    const late = await take();
    return all.map(({ label, count = 1, parks }, index) => {
      const { numbers, statements } = parks ? early[index] : late[index];
      return { label, events: count, numbers, statements };
    });
  } finally {
    await objects.stop();
  }
}

/** The instructions to the driver for a kind of event. */
function job({ route = "page", name, firstName = "first", ...kind }, number) {
  const own = shard(route, number);
  const shared = { to: "counted", object: own, shard: own, bytes: BYTES, connections: 1, count: 1 };
  const first = { ...shared, event: "miss", key: key(route, number, firstName) };
  return { ...shared, ...kind, key: key(route, number, name), first };
}

/** Counts what events cost that wait: neither the one before them that begins the render, nor the end of the render. */
async function parked(objects, kind) {
  await objects.hold(kind.key);
  const first = await objects.park({ ...kind, count: 1, waits: true });
  // The alarm has begun the render.
  await sleep(500);
  await objects.counts(kind);
  const others = await objects.park({ ...kind, waits: true });
  const counted = await objects.counts(kind);
  await objects.letGo(kind.key);
  await first.end();
  await others.end();
  return counted;
}
