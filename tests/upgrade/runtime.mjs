/**
 * One deployment of several Workers in one process of the local runtime: three edges, the coordinators and the tag index.
 * The code of each is chosen at every start; the names, and so the storage, stay.
 */
import path from "node:path";

import { Miniflare, NoOpLog, convertV4MiniflareOptions } from "miniflare";
import { unstable_readConfig } from "wrangler";

import { ADMIN_TOKEN, BOUND_MILLIS, COLOS, HOST, SHARDS } from "../soak/runtime.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const { compatibility_date: compatibilityDate } = unstable_readConfig({ config: path.join(root, "wrangler.toml") });

const COORDINATORS = "coordinators";
const TAG_INDEX = "tag-index";

/**
 * The L1 of each edge. The first and the last are isolates in one colo: they share it.
 * @type {Record<string, string>}
 */
const CACHES = { [COLOS[0]]: "shared", [COLOS[1]]: "own", [COLOS[2]]: "shared" };

/** Coordinators that never answer, and keep what is stored. */
const HANGING = `
  import { DurableObject } from "cloudflare:workers";
  export class IsrCoordinator extends DurableObject {
    fetch() { return scheduler.wait(600_000); }
    alarm() { return scheduler.wait(600_000); }
  }
  export default { fetch() { return new Response(null, { status: 503 }); } };
`;

/**
 * @typedef {"old" | "new" | "hanging"} Version
 * @typedef {{ edges: Version[], coordinator: Version, tagIndex: Version }} Combination the edges in the order of `COLOS`
 */
export class Runtime {
  #options;
  #miniflare;
  #clients = new Map();
  #turn = 0;
  /** Lines that the Workers have logged, counted by their first words. */
  logged = new Map();

  /** @param {{ previous: string, site: number, folder: string, expire: number, changes?: object }} options folders, the
   *   origin's port, and more settings */
  constructor(options) {
    this.#options = options;
  }

  /** @param {Combination} combination */
  async start({ edges, coordinator, tagIndex }) {
    const { site, folder, expire, changes = {} } = this.#options;
    const isr = {
      canonical_origin: `https://${HOST}`,
      origin: `http://127.0.0.1:${site}`,
      freshness_bound: BOUND_MILLIS / 1000,
      expire,
      ...changes,
      routes: Object.fromEntries(Object.entries(SHARDS).map(([route, shards]) => [route, { shards }])),
    };
    const workers = [
      ...COLOS.map((name, n) => this.#worker(name, edges[n], { ...isr, cache_name: CACHES[name] })),
      this.#worker(COORDINATORS, coordinator, isr),
      this.#worker(TAG_INDEX, tagIndex, isr),
    ];
    this.#miniflare = new Miniflare(convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new NoOpLog(),
      handleStructuredLogs: ({ level, message }) => this.#note(level, message),
      resourcePersistencePath: folder,
      workers,
    }));
    await this.#miniflare.ready;
    for (const name of COLOS) this.#clients.set(name, await this.#miniflare.unsafeGetDirectURL(name));
  }

  /** The gateway of a version under a name. Objects of other Workers are bound by the name of their script. */
  #worker(name, version, isr) {
    const object = (className, scriptName) => ({ className, useSQLite: true, ...(name !== scriptName && { scriptName }) });
    const modules = ["build/entry.js", "build/index.js", "build/index_bg.wasm"];
    const hanging = { type: "ESModule", path: "hanging.js", contents: HANGING };
    return {
      name,
      rootPath: version === "old" ? this.#options.previous : root,
      modulesRoot: ".",
      modules: version === "hanging"
        ? [hanging]
        : modules.map((file) => ({ type: file.endsWith(".wasm") ? "CompiledWasm" : "ESModule", path: file })),
      compatibilityDate,
      durableObjects: {
        COORDINATOR: object("IsrCoordinator", COORDINATORS),
        TAG_INDEX: object("IsrTagIndex", TAG_INDEX),
      },
      kvNamespaces: ["ISR_CACHE"],
      bindings: { ISR: isr, ISR_ADMIN_TOKEN: ADMIN_TOKEN },
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    };
  }

  #note(level, message) {
    const kind = `${level}: ${message.replace(/https?:\S+|\/\S*|[0-9A-Z]{26}|\d+/g, "…").slice(0, 120)}`;
    this.logged.set(kind, (this.logged.get(kind) ?? 0) + 1);
    if (process.env.ISR_UPGRADE_LOGS) console.error(`  ${level}: ${message}`);
  }

  /** Ends the process at once, without a chance to write anything. */
  async kill() {
    const miniflare = this.#miniflare;
    this.#clients.clear();
    this.#miniflare = undefined;
    await miniflare?.dispose();
  }

  /** Returns where an edge listens, or `undefined` while the runtime is down. */
  address(edge) {
    return this.#clients.get(edge);
  }

  get isUp() {
    return this.#clients.size > 0;
  }

  /** Sends an admin call, by each edge in turn. Returns the status and the answer. */
  async admin(pathAndQuery, { body, timeout = 15_000 } = {}) {
    const address = this.address(COLOS[this.#turn++ % COLOS.length]);
    if (!address) throw new Error("the runtime is down");
    const response = await fetch(new URL(pathAndQuery, address), {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
    });
    return { status: response.status, json: await response.json() };
  }
}
