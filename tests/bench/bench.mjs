// Measurements of the Worker: responses from cache, and a stampede.

import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { alternate } from "./alternate.mjs";
import { Load } from "./load.mjs";
import { HOST, MEMORY_SIZES, start } from "./runtime.mjs";
import { quantile } from "./stats.mjs";

/** Bodies of the L1 rows. */
const SIZES = [
  ["1 KB", 1024],
  ["50 KB", 51_200],
  ["1 MB", 1_048_576],
];

/** How many pages of 50 KB are asked for, once each, in a round of the L2 row. */
const L2_PAGES = 300;

/** How many ask for a cold page at once, and how long the site takes to render it. */
const STAMPEDE = { requests: 200, delayMillis: 500, rounds: 3 };

/** What every answer of a Worker must have in its headers for the row to be what it says. */
const HIT = {
  gateway: { "x-isr-status": "HIT", "cache-status": "cloudflare-isr; hit" },
  bare: { "cf-cache-status": "HIT" },
  site: {},
};

/** The Worker of a gateway that is measured where both sides of a comparison have to be alike: without objects in its isolate. */
const EDGES = { gateway: "gateway-l1" };

export class Bench {
  #runtime;
  #load = new Load();

  static async start(options) {
    const others = options.against === undefined ? {} : { other: resolve(options.against) };
    return new Bench(await start(others), options);
  }

  constructor(runtime, options) {
    this.#runtime = runtime;
    this.options = options;
    /** The gateways that answer from L1. */
    this.gateways = ["gateway", ...(options.against === undefined ? [] : ["other"])];
  }

  async stop() {
    await this.#load.stop();
    await this.#runtime.dispose();
  }

  /** Pages that lie in L1. */
  async l1() {
    const rows = [];
    for (const [label, bytes] of SIZES) {
      const first = `/size/${bytes}`;
      const paths = [first];
      const targets = [...this.gateways, "gateway-uncounted", "bare", "site"].map((name) => ({
        name,
        of: EDGES[name] ?? name,
        job: { first, paths, bytes, seconds: this.options.seconds, headers: HIT[name] ?? HIT.gateway },
      }));
      for (const { of } of targets) await this.#fill(of, first, paths);
      rows.push(await this.#alternate(`L1 HIT ${label}`, targets));
    }
    rows.push(await this.#notModified());
    return rows;
  }

  /** Pages that are in the memory of the isolate. */
  async memory() {
    const rows = [];
    const { seconds } = this.options;
    const fromMemory = { ...HIT.gateway, "cache-status": "cloudflare-isr; hit; detail=memory" };
    for (const bytes of MEMORY_SIZES) {
      const first = `/size/${bytes}`;
      const job = { first, paths: [first], bytes, seconds };
      // Headers as a browser sends them, which select a variant.
      const asks = { "accept-language": "de-AT,de;q=0.9,en;q=0.8", cookie: "_ga=GA1.1.1; theme=dark; sid=0123456789" };
      const targets = [
        { name: "gateway", of: "gateway-memory", job: { ...job, headers: fromMemory } },
        { name: "gateway, uncounted", of: "gateway-memory-uncounted", job: { ...job, headers: fromMemory } },
        { name: "gateway, a variant", of: "gateway-variants", job: { ...job, asks, headers: fromMemory } },
        { name: "gateway, L1", of: "gateway", job: { ...job, headers: HIT.gateway } },
        { name: "bare", job: { ...job, headers: HIT.bare } },
        { name: "constant", of: `constant-${bytes}`, job },
      ];
      for (const { of = "bare", job } of targets.slice(0, -1)) await this.#fill(of, first, [first, first, first], job.asks);
      rows.push(await this.#alternate(`in-isolate HIT ${Math.round(bytes / 1024)} KB`, targets));
    }
    const bytes = MEMORY_SIZES[1];
    const first = `/size/${bytes}`;
    const tag = await this.#tag(first);
    const etags = { "gateway-memory": tag, gateway: tag, "bare-304": '"bare"', [`constant-${bytes}`]: '"constant"' };
    await this.#fill("bare-304", first, [first]);
    const targets = { gateway: "gateway-memory", "gateway, L1": "gateway", bare: "bare-304", constant: `constant-${bytes}` };
    const runs = Object.entries(targets).map(([name, of]) => {
      const headers = of === "gateway-memory" ? fromMemory : (HIT[of.replace("-304", "")] ?? {});
      return { name, of, job: { first, paths: [first], asks: { "if-none-match": etags[of] }, status: 304, bytes: 0, seconds, headers } };
    });
    rows.push(await this.#alternate("304 from memory", runs));
    return rows;
  }

  /** A page in L1, for clients that already have it: each request is answered with a 304. */
  async #notModified() {
    const bytes = 51_200;
    const first = `/size/${bytes}`;
    const tags = { gateway: await this.#tag(first), bare: '"bare"' };
    const gateways = Object.fromEntries(this.gateways.map((name) => [name, EDGES[name] ?? name]));
    const targets = Object.entries({ ...gateways, bare: "bare-304" }).map(([name, of]) => {
      const asks = { "if-none-match": tags[name] ?? tags.gateway };
      const headers = HIT[name] ?? HIT.gateway;
      return { name, of, job: { first, paths: [first], asks, status: 304, bytes: 0, seconds: this.options.seconds, headers } };
    });
    for (const { of } of targets) await this.#fill(of, first, [first]);
    return this.#alternate("304 from L1", targets);
  }

  /** Returns the `ETag` that the gateway gives a page: that of its bytes, on every host. */
  async #tag(path) {
    for (let tries = 0; tries < 50; tries++) {
      const response = await this.#ask("gateway", path);
      await response.arrayBuffer();
      const tag = response.headers.get("etag");
      if (tag !== null) return tag;
      await sleep(50);
    }
    throw new Error(`the gateway gives ${path} no ETag`);
  }

  /** Pages that lie in KV, and in the colo's L1 no longer: each is visited once, and put into L1 behind the response. */
  async l2() {
    const bytes = 51_200;
    const first = `/size/${bytes}`;
    const paths = Array.from({ length: L2_PAGES }, (_, n) => `/size/${bytes}?n=${n}`);
    // The gateway renders them for both of its colos.
    for (const name of ["gateway", "gateway-l2", "bare", "bare-l2"]) await this.#fill(name, first, paths);
    const empty = (cache) => () => this.#empty(cache, paths);
    const fromL2 = { "x-isr-status": "HIT", "cache-status": "cloudflare-isr; hit; detail=l2" };
    return this.#alternate("L2 HIT 50 KB", [
      { name: "gateway", of: "gateway-l2", before: empty("gateway-l2"), job: { first, paths, bytes, headers: fromL2 } },
      { name: "bare + KV", of: "bare-l2", before: empty("bare-l2"), job: { first, paths, bytes, headers: { "x-from": "kv" } } },
      { name: "bare", job: { first, paths, bytes, headers: HIT.bare } },
      { name: "site", job: { first, paths, bytes } },
    ]);
  }

  /** Many visitors at once of a page that nobody has rendered. */
  async stampede() {
    const { requests, delayMillis, rounds } = STAMPEDE;
    const rows = [];
    for (const name of ["gateway", "bare", "site"]) {
      this.options.progress(`cold stampede: ${name}`);
      const measured = [];
      for (let round = 0; round < rounds; round++) {
        const page = `stampede-${name}-${round}`;
        await this.#ask("site", `/lab/${page}`, { method: "POST", body: JSON.stringify({ delay_ms: delayMillis }) });
        const paths = Array(requests).fill(`/lab/${page}`);
        const { seconds, latencies } = await this.#run(name, { first: "/lab-stats/none", paths, connections: requests });
        const { renders } = await (await this.#ask("site", `/lab-stats/${page}`)).json();
        measured.push({ renders, seconds, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) });
      }
      rows.push({ name, requests, delayMillis, rounds: measured });
    }
    return rows;
  }

  #alternate(label, targets) {
    const { connections, rounds, progress } = this.options;
    const runs = targets.map(({ name, of = name, before, job }) => {
      // Each connection asks once before the clock runs.
      const run = async () => ({ ...(await this.#run(of, { connections, ...job })), more: connections });
      return { name, before, run };
    });
    return alternate({ label, rounds, progress, targets: runs, baseline: "bare" });
  }

  /** Puts the pages where the row expects them, and waits until the work behind responses has ended. */
  async #fill(name, first, paths, asks = {}) {
    this.options.progress(`filling ${name}`);
    await this.#run(name, { first, paths, asks, connections: 8 });
    await sleep(300);
    await this.#run(name, { first, paths, asks, connections: 8 });
    await sleep(300);
  }

  async #empty(cache, paths) {
    // What was put behind the last responses is there by then.
    await sleep(200);
    const urls = paths.map((path) => `http://${HOST}${path}`);
    const response = await this.#ask("janitor", "/", { method: "POST", body: JSON.stringify({ cache, urls }) });
    const { deleted } = await response.json();
    if (deleted === 0) throw new Error(`the cache ${cache} was empty: nothing had been put into it`);
    await sleep(100);
  }

  #run(name, job) {
    return this.#load.run({ port: this.#runtime.ports[name], host: HOST, ...job });
  }

  async #ask(name, path, init) {
    const response = await fetch(`http://127.0.0.1:${this.#runtime.ports[name]}${path}`, init);
    if (!response.ok) throw new Error(`${name} answers ${path} with ${response.status}: ${await response.text()}`);
    return response;
  }
}
