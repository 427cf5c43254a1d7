// How long eight colos under traffic serve a page after the receipt of its invalidation, with a pushed and a polled feed.

import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { ADMIN_TOKEN, COLOS, FEEDS, HOST, startFeeds } from "./runtime.mjs";

/** The pause between two visits of a colo, in milliseconds: what is measured is exact to that. */
const EVERY = 30;

/** Streams are opened once half of the bound is over. */
const WARM = 8_000;

const PATH = "/lab/watched";

/**
 * @typedef {object} Row
 * @property {string} feed The setting.
 * @property {number[]} each For how many milliseconds each colo has served the old page, in all rounds.
 * @property {number[]} last The same of the last colo of each round.
 */

/** @returns {Promise<Row[]>} */
export async function feed({ rounds, progress }) {
  const runtime = await startFeeds();
  const sides = FEEDS.map((feed) => new Side(feed, runtime.ports));
  try {
    progress(`feed: ${COLOS} colos for each of ${FEEDS.join(" and ")}, ${WARM / 1000} s of traffic first`);
    sides.forEach((side) => side.start());
    await sleep(WARM);
    for (let round = 0; round < rounds; round++) {
      progress(`feed: round ${round + 1} of ${rounds}`);
      for (const side of round % 2 ? sides.toReversed() : sides) {
        await side.invalidate();
        // At any time between two polls.
        await sleep(Math.random() * 1000);
      }
    }
    return sides.map(({ feed, each, last }) => ({ feed, each, last }));
  } finally {
    await Promise.all(sides.map((side) => side.stop()));
    await runtime.dispose();
  }
}

/** The colos with one of the settings, and their visitors. */
class Side {
  #owner;
  #colos;
  #visitors = [];
  #isOver = false;
  each = [];
  last = [];

  constructor(feed, ports) {
    this.feed = feed;
    this.#owner = ports[feed];
    this.#colos = Array.from({ length: COLOS }, (_, number) => ({ port: ports[`${feed}-${number}`], render: 0, askedAt: new Map() }));
  }

  start() {
    this.#visitors = this.#colos.map(async (colo) => {
      while (!this.#isOver) {
        const asked = performance.now();
        const { headers } = await ask(colo.port, PATH);
        const render = Number(headers["x-render-count"]);
        colo.render = Math.max(colo.render, render);
        colo.askedAt.set(render, asked);
        await sleep(EVERY);
      }
    });
  }

  async invalidate() {
    const old = Math.max(...this.#colos.map(({ render }) => render));
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const { status } = await ask(this.#owner, "/__isr/revalidate", { method: "POST", headers, body: JSON.stringify({ path: PATH }) });
    if (status !== 200) throw new Error(`the invalidation was answered with ${status}`);
    const acknowledged = performance.now();
    while (!this.#colos.every(({ render }) => render > old)) {
      if (performance.now() > acknowledged + 60_000) throw new Error(`${this.feed}: not all colos have the new page`);
      await sleep(10);
    }
    const late = this.#colos.map(({ askedAt }) => Math.max(0, (askedAt.get(old) ?? 0) - acknowledged));
    this.each.push(...late);
    this.last.push(Math.max(...late));
  }

  async stop() {
    this.#isOver = true;
    await Promise.allSettled(this.#visitors);
  }
}

const agent = new http.Agent({ keepAlive: true });

function ask(port, path, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const options = { port, path, method, agent, headers: { ...headers, host: HOST } };
    const request = http.request(options, (response) => {
      response.resume().on("end", () => resolve({ status: response.statusCode, headers: response.headers }));
    });
    request.on("error", reject).end(body);
  });
}
