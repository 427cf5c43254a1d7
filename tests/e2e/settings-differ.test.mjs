/**
 * Edges and objects with different settings for a while, on one storage: what docs/upgrading.md says that holds meanwhile.
 *
 * Two edges are asked side by side: one with the settings before, one with those after a change. The objects have either.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { colo, config, newFolder, start, until } from "./harness.mjs";

const BOUND = 1;
const MILLIS = 6_000;
const PAGES = Array.from({ length: 6 }, (_, n) => `page-${n}`);
const NAMES = [0, 1, 2, 3, 4].map((n) => `/lab/[name]#${n}`);

/**
 * Why an edge may show an older page, as stale: no coordinator takes the page for its own, or the page can't be published, because
 * the tag index refuses its tags.
 */
const FALLBACKS = ["moved", "unpublished", "tag-index"];

/** The settings: `lab` are those of the route of the pages. */
const settings = ({ lab = {}, pattern = "/lab/[name]", ...changes } = {}) => {
  const isr = config({ freshness_bound: BOUND, expire: 60, ...changes });
  delete isr.routes["/lab/[name]"];
  return { ...isr, routes: { ...isr.routes, [pattern]: { revalidate: 5, ...lab } } };
};

/** Which objects have the settings after the change, in turn. */
const turns = (names = NAMES) => [
  ["the tag index first", (later) => ({ "tag-indexes": later })],
  ["the coordinators first", (later) => ({ coordinators: later })],
  ["some coordinators, and the tag index", (later) => ({
    "tag-indexes": later, ...Object.fromEntries(names.filter((_, n) => n % 2 === 0).map((name) => [name, later])),
  })],
  ["the other coordinators", (later) => Object.fromEntries(names.filter((_, n) => n % 2 === 1).map((name) => [name, later]))],
];

/** Visitors at both edges, an editor who invalidates by either edge, and what no visitor may see. */
class Watch {
  #isr;
  #over = false;
  /** The least number of a page's render that a visitor may see, from a time on. */
  #due = new Map();
  problems = [];
  visits = 0;
  acknowledged = 0;
  refused = 0;
  outcomes = new Map();

  constructor(isr, suffix = "") {
    this.#isr = isr;
    this.suffix = suffix;
  }

  ask(edge, path) {
    return edge === 0 ? this.#isr.fetch(path) : this.#isr.ask("later", path);
  }

  async run(millis) {
    const visitors = [0, 1].flatMap((edge) => [this.#visit(edge, 0), this.#visit(edge, 3)]);
    const editor = this.#edit();
    await sleep(millis);
    this.#over = true;
    await Promise.all([...visitors, editor]);
  }

  async #visit(edge, from) {
    for (let n = from; !this.#over; n++) {
      const name = PAGES[n % PAGES.length];
      const asked = performance.now();
      const answer = await this.ask(edge, `/lab/${name}${this.suffix}`);
      this.visits++;
      const { outcomes } = this;
      const outcome = `${edge} ${answer.isr}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      const said = `edge ${edge}, ${name}: ${answer.status} ${answer.headers.get("cache-status")}, render ${answer.render}`;
      if (answer.status >= 500) this.problems.push(said);
      const due = (this.#due.get(name) ?? []).filter(({ from }) => from <= asked).map(({ least }) => least);
      const isFallback = answer.isr === "STALE" && FALLBACKS.includes(answer.cacheStatus.detail);
      if (answer.render < Math.max(0, ...due) && !isFallback) this.problems.push(`${said}, less than ${Math.max(...due)}`);
      await sleep(30);
    }
  }

  async #edit() {
    for (let n = 0; !this.#over; n++) {
      const name = PAGES[n % PAGES.length];
      const least = (await this.#isr.renders(name)) + 1;
      const what = n % 2 === 0 ? { tag: `tag-of-${name}` } : { path: `/lab/${name}` };
      if (await this.invalidate(n % 4 < 2 ? 0 : 1, what)) {
        this.#due.set(name, [...(this.#due.get(name) ?? []), { from: performance.now() + BOUND * 1000 + 50, least }]);
      }
      await sleep(150);
    }
  }

  /** Invalidates by an edge. Returns whether every coordinator has applied it. */
  async invalidate(edge, what) {
    const answer = edge === 0 ? await this.#isr.revalidate(what) : await this.#isr.revalidateBy("later", what);
    const isAcknowledged = answer.status === 200 && answer.json.invalidations.every(({ shards }) => shards.pending === 0);
    if (isAcknowledged) this.acknowledged++;
    else this.refused++;
    return isAcknowledged;
  }
}

async function startWith(folder, { first, later, objects }) {
  return start({
    folder, isr: first, main: ["tests/e2e/own-settings.mjs"], bindings: { ISR_OF: objects }, r2: ["ISR_BUCKET"],
    workers: [{ ...colo("later", later, { r2: ["ISR_BUCKET"] }), unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] }],
  });
}

/** Lets edges and objects differ, and checks that all is normal once they have the same settings. */
async function differ({ first, later, suffix, names, mayRefuse = false }) {
  const folder = await newFolder();
  let isr = await startWith(folder, { first, later: first, objects: {} });
  for (const name of PAGES) {
    await isr.lab(name, { headers: { "Cache-Tag": `tag-of-${name}` } });
    assert.equal((await isr.fetch(`/lab/${name}${suffix ?? ""}`)).status, 200);
  }
  const seen = [];
  for (const [what, objects] of turns(names)) {
    await isr.kill();
    isr = await startWith(folder, { first, later, objects: objects(later) });
    const watch = new Watch(isr, suffix);
    await watch.run(MILLIS);
    seen.push(`${what}: ${watch.visits} visits, ${watch.acknowledged} acknowledged, ${watch.refused} refused`);
    if (process.env.ISR_E2E_LOGS) console.log(seen.at(-1), watch.outcomes);
    assert.deepEqual(watch.problems, [], what);
    assert.ok(watch.visits > 20 && watch.acknowledged > 3 && (mayRefuse || watch.refused === 0), seen.at(-1));
  }
  await isr.kill();
  isr = await startWith(folder, { first: later, later, objects: {} });
  const watch = new Watch(isr, suffix);
  for (const name of PAGES) {
    for (const edge of [0, 1]) {
      await until(`a HIT of ${name} at edge ${edge}`, async () => (await watch.ask(edge, `/lab/${name}${watch.suffix}`)).isr === "HIT");
    }
  }
  await watch.run(MILLIS / 2);
  assert.deepEqual([watch.problems, watch.refused], [[], 0], "when all have the same settings again");
  await isr.kill();
}

test("shards", () => differ({ first: settings({ lab: { shards: 2 } }), later: settings({ lab: { shards: 5 } }) }));

test("tag_shards", () => differ({ first: settings(), later: settings({ tag_shards: 3 }), mayRefuse: true }));

test("tag_shards: a coordinator that lags behind the tag index gets the invalidations of all tags", async () => {
  const [folder, first, later] = [await newFolder(), settings(), settings({ tag_shards: 3 })];
  let isr = await startWith(folder, { first, later: first, objects: {} });
  for (const name of PAGES) {
    await isr.lab(name, { headers: { "Cache-Tag": `tag-of-${name}`, "X-ISR-Revalidate": "false" } });
    assert.equal((await isr.fetch(`/lab/${name}`)).render, 1);
  }
  await isr.kill();
  isr = await startWith(folder, { first, later, objects: { "tag-indexes": later } });
  for (const name of PAGES) {
    const { status, json } = await isr.revalidateBy("later", { tag: `tag-of-${name}` });
    assert.deepEqual([status, json.invalidations?.[0].shards], [200, { applied: 1, pending: 0 }], JSON.stringify(json));
    // This edge lags as well, and has no feed: it knows only what the coordinator tells.
    assert.equal((await isr.fetch(`/lab/${name}`)).render, 2, name);
  }
});

test("the pattern of a route, and revalidate", () => differ({
  first: settings({ lab: { shards: 2 } }),
  later: settings({ pattern: "/lab/*", lab: { shards: 2, revalidate: 2 } }),
  names: ["/lab/[name]#0", "/lab/*#0", "/lab/[name]#1", "/lab/*#1"],
}));

test("query", () => differ({ first: settings(), later: settings({ lab: { query: ["v"] } }), suffix: "?v=1" }));

test("l2", () => differ({ first: settings(), later: settings({ l2: "r2" }) }));

test("canonical_origin", () => differ({ first: settings(), later: settings({ canonical_origin: "https://www.isr.test" }) }));
