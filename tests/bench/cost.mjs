// The cost of page views and invalidations: the platform calls of edge and objects, at the platform's prices.

import { setTimeout as sleep } from "node:timers/promises";
import { BYTES, key, Objects, shard } from "./objects.mjs";
import { HOST, SHARDS } from "./runtime.mjs";
import { QUIET_MILLIS } from "./rows.mjs";
import { sum } from "./tags.mjs";

/** USD per million. An alarm that is set is billed as a row written; one that goes off, as a request to the object. */
export const PRICES = {
  requests: 0.3,
  objectCalls: 0.15,
  alarmRuns: 0.15,
  rowsWritten: 1,
  alarmsSet: 1,
  rowsRead: 0.001,
  kvReads: 0.5,
  kvWrites: 5,
};

/** How many hits are counted, and how many of everything else. */
const HITS = 1000;
const EVENTS = 50;

const TAG_INDEX = { to: "TAG_INDEX", object: "tags#0" };
const counted = (object) => ({ to: "counted", object });
const OF = Array.from({ length: SHARDS }, (_, number) => counted(`/of/[bytes]/[name]#${number}`));

/** The path of a page. */
const pathOf = (route, number, name) => new URL(key(route, number, name)).pathname;

/** Paths of many pages of an object. */
const paths = (route, number, name, count = EVENTS) => Array.from({ length: count }, (_, n) => pathOf(route, number, `${name}-${n}`));

/**
 * @typedef {object} Row
 * @property {string} label
 * @property {number} events How many were counted.
 * @property {Record<string, number>} numbers What all of them together have asked for, by the names of `PRICES`; and `feed`, how
 *   often the edge has asked for the feed, which is not among the calls.
 */

/** @returns {Promise<Row[]>} */
export async function cost({ progress }) {
  const objects = await Objects.start({ renderTimeout: 1 });
  try {
    const cost = new Cost(objects, progress);
    return [
      await cost.hits("HIT from L1"),
      await cost.hitsOfMinute("HIT from L1, of a minute"),
      await cost.hitsOfL2("HIT from L2"),
      await cost.hitsOfOthers("HIT from the coordinator"),
      await cost.misses("MISS that renders", 3, "n"),
      await cost.misses("MISS that renders, 2 tags", 4, "tagged"),
      await cost.stale("STALE that renders"),
      await cost.invalidations(`invalidation of a tag in ${SHARDS} shards`, { tag: "cost" }),
      await cost.invalidations("invalidation of a tag in 1 shard", { tag: "news" }),
      await cost.invalidations("invalidation of a path", { path: pathOf("page", 3, "n-0") }),
    ];
  } finally {
    await objects.stop();
  }
}

class Cost {
  #objects;
  #progress;

  constructor(objects, progress) {
    this.#objects = objects;
    this.#progress = progress;
  }

  async hits(label) {
    const [path] = paths("page", 0, "hit", 1);
    await this.#visit([path], "MISS");
    return this.#count(label, [shard("page", 0)], () => this.#visit(Array(HITS).fill(path), "HIT"));
  }

  /** HITs over a minute, and the first one of the next minute: it sends what was counted. */
  async hitsOfMinute(label) {
    const [path] = paths("page", 0, "hit", 1);
    return this.#count(label, [shard("page", 0)], async () => {
      const first = await this.#visit(Array(HITS).fill(path), "HIT");
      await sleep(61_000);
      return first + (await this.#visit([path], "HIT"));
    });
  }

  async hitsOfL2(label) {
    const pages = paths("page", 1, "l2");
    await this.#visit(pages, "MISS");
    await sleep(QUIET_MILLIS);
    await this.#forget(pages);
    return this.#count(label, [shard("page", 1)], () => this.#visit(pages, "HIT"));
  }

  /** Pages that another colo has just had rendered: neither L1 nor L2 shows them. */
  async hitsOfOthers(label) {
    const pages = paths("page", 2, "others");
    const own = shard("page", 2);
    for (const path of pages) {
      const about = { to: "counted", object: own, shard: own, event: "miss", bytes: BYTES, connections: 1, count: 1 };
      await this.#objects.send({ ...about, key: `https://${HOST}${path}` });
    }
    await this.#objects.hideKv(true);
    try {
      return await this.#count(label, [own], () => this.#visit(pages, "HIT"));
    } finally {
      await this.#objects.hideKv(false);
    }
  }

  async misses(label, number, name) {
    await this.#visit(paths("page", number, `${name}-first`, 1), "MISS");
    return this.#count(label, [shard("page", number)], () => this.#visit(paths("page", number, name), "MISS"));
  }

  async stale(label) {
    const pages = paths("stale", 0, "n");
    await this.#visit(pages, "MISS");
    await sleep(QUIET_MILLIS);
    return this.#count(label, [shard("stale", 0)], () => this.#visit(pages, "STALE"));
  }

  /** Each of them with its pages in place; they are not rendered again. */
  async invalidations(label, what) {
    if (what.tag === "cost") {
      const pages = Array.from({ length: 10 * SHARDS }, (_, n) => `/of/${BYTES}/cost-${n}`);
      await this.#visit(pages, "MISS");
    }
    const all = [...OF.map(({ object }) => object), shard("page", 3), shard("page", 4)];
    return this.#count(label, all, async () => {
      for (let n = 0; n < EVENTS; n++) await this.#objects.invalidate(what);
      return EVENTS;
    });
  }

  /** Counts what something asks for, from quiet to quiet. */
  async #count(label, shards, act) {
    this.#progress(`cost: ${label}`);
    const all = [TAG_INDEX, ...shards.map(counted)];
    const take = async () => [await this.#objects.edgeCounts(), ...(await Promise.all(all.map((one) => this.#objects.counts(one))))];
    await sleep(QUIET_MILLIS);
    await take();
    const events = await act();
    await sleep(QUIET_MILLIS);
    const [edge, tagIndex, ...others] = await take();
    // The feed is asked for by the clock, whatever the number of views is.
    const { feedCalls: feed = 0, ...ofEdge } = edge.numbers;
    const { numbers, statements } = sum([{ numbers: ofEdge, statements: {} }, tagIndex, ...others]);
    const rows = (field) => Object.values(statements).reduce((sum, statement) => sum + statement[field], 0);
    return { label, events, numbers: { ...numbers, requests: events, rowsWritten: rows("rowsWritten"), rowsRead: rows("rowsRead"), feed } };
  }

  /** Asks for pages one after the other, and returns how many there were. */
  async #visit(paths, status) {
    for (const path of paths) {
      const response = await this.#objects.edge(path);
      const { byteLength } = await response.arrayBuffer();
      const got = response.headers.get("x-isr-status");
      if (got !== status || byteLength !== BYTES) throw new Error(`${path}: ${got} of ${byteLength} bytes instead of ${status}`);
    }
    return paths.length;
  }

  /** Takes pages out of L1. */
  async #forget(paths) {
    await this.#objects.emptyCache(paths.map((path) => `https://${HOST}${path}`));
  }
}

/** What an event costs, in USD per million. */
export function price({ numbers, events }) {
  return Object.entries(PRICES).reduce((sum, [name, each]) => sum + (each * (numbers[name] ?? 0)) / events, 0);
}

/** What a million page views cost, of which this share are hits and the others are events of one kind. */
export function perMillion(rows, share, others) {
  const [hit, other] = ["HIT from L1", others].map((label) => price(rows.find((row) => row.label === label)));
  return share * hit + (1 - share) * other;
}
