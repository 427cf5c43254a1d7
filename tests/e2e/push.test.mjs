/**
 * The pushed feed: colos under traffic keep streams to the tag index open. The times are compared with `freshness_bound`,
 * with a wide margin: `cargo xtask bench --only feed` measures them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { colo, config, start, until } from "./harness.mjs";

const bound = 10;
/** Polls alone take from a quarter of the bound to all of it. */
const soon = 3000;

const names = ["push-1", "push-2", "push-3"];

async function startWith(feed) {
  const settings = config({ freshness_bound: bound, ...(feed && { feed }) });
  return start({ isr: settings, main: ["tests/e2e/told-feed.mjs"], workers: names.map((name) => colo(name, settings)) });
}

const tagIndex = async (isr, told = {}) =>
  (await isr.fetch("/tag-index", { method: "POST", body: JSON.stringify(told) })).json;

/** Visitors of all colos, one after another in each. */
class Traffic {
  #isOver = false;
  #loops;
  /** For each colo, the last answer, and when each render was asked for last. */
  seen = new Map(names.map((name) => [name, { render: 0, askedAt: new Map() }]));

  constructor(isr, path) {
    this.#loops = names.map(async (name) => {
      const seen = this.seen.get(name);
      while (!this.#isOver) {
        const asked = performance.now();
        const answer = await isr.ask(name, path);
        assert.equal(answer.status, 200, answer.text);
        seen.askedAt.set(answer.render, asked);
        seen.render = Math.max(seen.render, answer.render);
        await sleep(25);
      }
    });
  }

  async end() {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  /** Invalidates the page, and returns for how many milliseconds each colo has served the old one since the receipt. */
  async invalidate(isr, tag) {
    const old = Math.max(...[...this.seen.values()].map(({ render }) => render));
    assert.equal((await isr.revalidate({ tag })).status, 200);
    const acknowledged = performance.now();
    const all = [...this.seen.values()];
    await until("the new page in all colos", () => all.every(({ render }) => render > old), { timeout: 30_000 });
    return all.map(({ askedAt }) => Math.round(Math.max(0, askedAt.get(old) - acknowledged)));
  }
}

async function visited(isr, name) {
  const path = await isr.lab(name, { headers: { "X-ISR-Revalidate": "false", "Cache-Tag": name } });
  return new Traffic(isr, path);
}

const streams = (isr, count) =>
  until(`${count} streams`, async () => (await tagIndex(isr)).streams >= count, { timeout: 60_000 });

test("with streams, all colos have an invalidation long before the bound, also while streams are replaced", async () => {
  const isr = await startWith("push");
  const traffic = await visited(isr, "pushed");
  await streams(isr, names.length);
  const began = performance.now();
  const late = [];
  while (performance.now() < began + 28_000) {
    late.push(...(await traffic.invalidate(isr, "pushed")));
    await sleep(700);
  }
  const { streams: opened } = await tagIndex(isr);
  await traffic.end();
  assert.ok(Math.max(...late) < soon, `old for ${Math.max(...late)} ms after a receipt: ${late}`);
  assert.ok(opened >= 2 * names.length, `each was replaced: ${opened}`);
  // A busy isolate replaces its stream once in 20 s.
  assert.ok(opened <= 4 * names.length, `${opened} streams in ${performance.now() - began} ms`);
  await isr.kill();
});

test("the tag index dies while streams are open: nothing is late, and they are opened again", async () => {
  const isr = await startWith("push");
  const traffic = await visited(isr, "dies");
  await streams(isr, names.length);
  await traffic.invalidate(isr, "dies");
  await tagIndex(isr, { dies: true });
  const late = await traffic.invalidate(isr, "dies");
  assert.ok(Math.max(...late) <= bound * 1000, `old for ${late} ms`);
  await streams(isr, 2 * names.length);
  await sleep(500);
  const again = await traffic.invalidate(isr, "dies");
  await traffic.end();
  assert.ok(Math.max(...again) < soon, `old for ${again} ms`);
  await isr.kill();
});

test("a tag index of an earlier version: the edges poll", async () => {
  const isr = await startWith("push");
  await tagIndex(isr, { isOld: true });
  const traffic = await visited(isr, "old");
  await streams(isr, names.length);
  const before = await tagIndex(isr);
  for (let round = 0; round < 2; round++) {
    const late = await traffic.invalidate(isr, "old");
    assert.ok(Math.max(...late) <= bound * 1000, `old for ${late} ms`);
  }
  await until("another poll", async () => (await tagIndex(isr)).polls > before.polls, { timeout: 20_000 });
  assert.equal((await tagIndex(isr)).streams, before.streams, "nobody tries again for a minute");
  await traffic.end();
  await isr.kill();
});

test("by default the edges poll", async () => {
  const isr = await startWith(undefined);
  const traffic = await visited(isr, "polled");
  await until("polls", async () => (await tagIndex(isr)).polls >= 3 * names.length, { timeout: 60_000 });
  const late = await traffic.invalidate(isr, "polled");
  await traffic.end();
  assert.ok(Math.max(...late) <= bound * 1000, `old for ${late} ms`);
  assert.equal((await tagIndex(isr)).streams, 0);
  await isr.kill();
});
