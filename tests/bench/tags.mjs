// The cost of acknowledging an invalidation: of a tag with many pages, compared with one with few in the same objects.

import { createHash } from "node:crypto";
import { BYTES, Objects } from "./objects.mjs";
import { HOST, SHARDS } from "./runtime.mjs";

const MANY = 100_000;
const FEW = 10;

const ROUTE = "/of/[bytes]/[name]";
const TAG_INDEX = { to: "TAG_INDEX", object: "tags#0" };
const SHARD_NAMES = Array.from({ length: SHARDS }, (_, number) => `${ROUTE}#${number}`);
const ALL = [TAG_INDEX, ...SHARD_NAMES.map((object) => ({ to: "counted", object }))];

/** How many invalidations come before those that are measured. */
const WARM = 3;

/**
 * @typedef {object} Row
 * @property {string} tag
 * @property {number} pages
 * @property {number[]} millis Of each acknowledgement.
 * @property {number} invalidations How many were counted.
 * @property {{ numbers: Record<string, number>, statements: Record<string, { times: number, rowsRead: number, rowsWritten: number }> }} tagIndex
 * @property {Row["tagIndex"]} coordinators Of all of them together.
 * @property {number} wasm Growth of the Wasm memory by as many invalidations.
 * @property {number} heap Growth of the heap.
 */

/** @returns {Promise<Row[]>} */
export async function tags({ rounds, progress }) {
  const objects = await Objects.start({ inspect: true });
  try {
    const targets = [];
    for (const [tag, pages] of [["few", FEW], ["many", MANY]]) {
      progress(`tags: making ${pages} pages`);
      await make(objects, tag, pages);
      targets.push({ tag, pages, millis: [], invalidations: 0, tagIndex: [], coordinators: [] });
    }
    const acknowledge = async ({ tag, pages }) => {
      const began = performance.now();
      const receipt = await objects.invalidate({ tag });
      const took = performance.now() - began;
      if (receipt.shards.applied !== SHARDS || receipt.shards.pending !== 0) throw new Error(`not applied: ${JSON.stringify(receipt)}`);
      if (receipt.pages.matched !== pages) throw new Error(`${receipt.pages.matched} pages of ${pages} were found`);
      return took;
    };
    for (const target of targets) for (let n = 0; n < WARM; n++) await acknowledge(target);

    // The tag with few pages first: memory that the other has made grow would not show.
    for (const target of targets) {
      progress(`tags: memory, ${target.tag}`);
      const before = await objects.memory("counted", SHARD_NAMES[0]);
      for (let n = 0; n < rounds; n++) await acknowledge(target);
      const after = await objects.memory("counted", SHARD_NAMES[0]);
      Object.assign(target, { wasm: after.wasm - before.wasm, heap: after.heap - before.heap });
    }
    progress(`tags: ${rounds} rounds`);
    const counts = () => Promise.all(ALL.map((object) => objects.counts(object)));
    for (let round = 0; round < rounds; round++) {
      for (const target of round % 2 ? targets : targets.toReversed()) {
        await counts();
        target.millis.push(await acknowledge(target));
        const [tagIndex, ...coordinators] = await counts();
        target.invalidations++;
        target.tagIndex.push(tagIndex);
        target.coordinators.push(...coordinators);
      }
    }
    return targets.map((target) => ({ ...target, tagIndex: sum(target.tagIndex), coordinators: sum(target.coordinators) }));
  } finally {
    await objects.stop();
  }
}

/** Has a page of each shard rendered, and makes the others like it, each in the shard that owns it. */
async function make(objects, tag, pages) {
  const owned = SHARD_NAMES.map(() => []);
  const path = (n) => `/of/${BYTES}/${tag}-${n}`;
  for (let [n, made] = [0, 0]; made < pages; n++) {
    const number = owner(path(n));
    // One for each shard first, so that a few pages are in all of them as well.
    if (made < SHARDS && number !== made) continue;
    owned[number].push(path(n));
    made++;
  }
  for (const [number, [first, ...others]] of owned.entries()) {
    const response = await objects.edge(first);
    if (!response.ok || (await response.arrayBuffer()).byteLength !== BYTES) throw new Error(`${first}: ${response.status}`);
    await objects.fill(SHARD_NAMES[number], `https://${HOST}${first}`, others);
  }
}

/** The number of the shard that owns a path, as `src/shard_name.rs` has it. */
function owner(path) {
  const digest = createHash("sha256").update(`${ROUTE}\0${path}`).digest();
  return Number(digest.readBigUInt64BE() % BigInt(SHARDS));
}

/** Adds up what objects have counted. */
export function sum(counted) {
  const total = { numbers: {}, statements: {} };
  for (const { numbers, statements } of counted) {
    for (const [name, number] of Object.entries(numbers)) total.numbers[name] = (total.numbers[name] ?? 0) + number;
    for (const [text, figures] of Object.entries(statements)) {
      const statement = (total.statements[text] ??= { times: 0, rowsRead: 0, rowsWritten: 0 });
      for (const field of Object.keys(statement)) statement[field] += figures[field];
    }
  }
  return total;
}
