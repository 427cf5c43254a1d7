// Events per second of one object, compared with objects that do less.

import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { alternate } from "./alternate.mjs";
import { BYTES, key, Objects, shard } from "./objects.mjs";

/** How many events wait at once for one render in a round of their row. */
const PARKED = 1000;

/** A coordinator lets 24 renders be under way. */
const MOST_RENDERS = 16;

/** The rows, in a third of the rounds that the others get: there are many targets. */
export async function events(options) {
  const others = options.against === undefined ? {} : { other: resolve(options.against) };
  const objects = await Objects.start({ others });
  const events = new Events(objects, ["gateway", ...Object.keys(others)], options);
  try {
    return [
      await events.answered("miss, page fresh", "miss"),
      await events.answered("stale, page just rendered", "stale"),
      await events.parked("stale, render under way"),
      await events.rendered("miss that renders"),
    ];
  } finally {
    await objects.stop();
  }
}

class Events {
  #objects;
  #coordinators;
  #options;

  constructor(objects, coordinators, options) {
    this.#objects = objects;
    this.#coordinators = coordinators;
    this.#options = { ...options, rounds: Math.ceil(options.rounds / 3) };
  }

  /** Events that are answered with the page at once: the coordinator holds it. */
  async answered(label, event) {
    const own = shard("page", 0);
    const { connections, seconds } = this.#options;
    const job = { shard: own, object: own, key: key("page", 0, "fresh"), bytes: BYTES, connections };
    for (const to of this.#coordinators) await this.#objects.send({ ...job, to, event: "miss", count: 1 });
    await this.#objects.copy({ ...job, to: "gateway", event, copyTo: "BARE" });
    return this.#alternate(label, [
      ...this.#targets((to) => ({ run: () => this.#objects.send({ ...job, to, event, seconds }) })),
      { name: "bare", run: () => this.#objects.send({ ...job, to: "BARE", event, seconds }) },
    ]);
  }

  /** Stale events for one page while its render is under way: all of them wait for it. */
  async parked(label) {
    const own = shard("stale", 0);
    const job = { shard: own, object: own, event: "stale", bytes: BYTES, count: PARKED };
    for (const to of this.#coordinators) {
      // A page for each round; all of them are stale by then.
      const pages = { key: key("stale", 0, `${to}-`), distinct: true, count: this.#options.rounds + 1, connections: 4 };
      await this.#objects.send({ ...job, ...pages, to, event: "miss" });
    }
    await sleep(1200);
    await this.#objects.copy({ ...job, to: "gateway", key: key("stale", 0, "gateway-0"), copyTo: "BARE_PARKS" });
    const target = (to) => ({
      before: (round) => this.#objects.hold(key("stale", 0, `${to}-${round}`)),
      run: async (round) => (await this.#objects.park({ ...job, to, key: key("stale", 0, `${to}-${round}`) })).end(),
    });
    return this.#alternate(label, [...this.#targets(target), { name: "bare", ...target("BARE_PARKS") }]);
  }

  /** Misses that each render a page of their own. */
  async rendered(label) {
    const connections = Math.min(this.#options.connections, MOST_RENDERS);
    const { seconds } = this.#options;
    // An object of its own for each round, so that its tables are alike.
    const own = (round) => shard("page", round + 1);
    const job = (round) => ({ shard: own(round), object: own(round), event: "miss", bytes: BYTES, connections });
    const first = (round) => ({ ...job(round), key: key("page", round + 1, "first"), count: 1 });
    const many = (round) => ({ ...job(round), key: key("page", round + 1, "n"), distinct: true, seconds });
    const settle = () => sleep(300);
    const coordinator = (to) => ({
      before: async (round) => {
        await this.#objects.send({ ...first(round), to });
        await settle();
      },
      run: async (round) => {
        const before = await this.#objects.renders();
        const measured = await this.#objects.send({ ...many(round), to });
        const renders = (await this.#objects.renders()) - before;
        if (renders !== measured.requests) throw new Error(`${measured.requests} pages were asked for, and ${renders} rendered`);
        return measured;
      },
    });
    const bare = (name, to) => ({
      name,
      before: async (round) => {
        await this.#objects.copy({ ...first(round), to: "gateway", copyTo: to });
        await settle();
      },
      run: (round) => this.#objects.send({ ...many(round), to }),
    });
    return this.#alternate(label, [
      ...this.#targets(coordinator),
      bare("bare", "BARE"),
      bare("bare, a write", "BARE_WRITES"),
      bare("bare, a write, site, KV", "BARE_RENDERS"),
    ]);
  }

  #targets(target) {
    return this.#coordinators.map((to) => ({ name: to === "gateway" ? "coordinator" : to, ...target(to) }));
  }

  #alternate(label, targets) {
    const { rounds, progress } = this.#options;
    return alternate({ label, rounds, progress, targets, baseline: "bare" });
  }
}
