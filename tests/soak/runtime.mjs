/** The built gateway in three colos, before the same objects, in one process of the local runtime that can be killed. */
import path from "node:path";

import { Miniflare, NoOpLog, convertV4MiniflareOptions } from "miniflare";
import { unstable_readConfig } from "wrangler";

import { memoryOf, processes } from "../processes.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const { compatibility_date: compatibilityDate } = unstable_readConfig({ config: path.join(root, "wrangler.toml") });

export const HOST = "soak.test";
export const ADMIN_TOKEN = "admin-token-of-the-soak-test";
/** The bound of the deployment, in milliseconds. */
export const BOUND_MILLIS = 2000;
/** The Worker whose objects are used by all, and the colos that clients visit. */
const OBJECTS = "objects";
export const COLOS = ["colo-1", "colo-2", "colo-3"];

/** The number of shards by route. */
export const SHARDS = { "/aging/[n]": 3, "/lasting/[n]": 1 };

export class Runtime {
  #options;
  #miniflare;
  #clients = new Map();
  #others = new Set();
  /** Lines that the Workers have logged as errors, counted by their first words. */
  errors = new Map();

  /** @param {{ site: number, kv: number, folder: string, expire: number }} options ports, and the folder of the state */
  constructor(options) {
    this.#options = options;
  }

  async start() {
    this.#others = new Set(processes());
    const { site, kv, folder, expire } = this.#options;
    const isr = {
      canonical_origin: `https://${HOST}`,
      origin: `http://127.0.0.1:${site}`,
      freshness_bound: BOUND_MILLIS / 1000,
      first_byte_timeout: 4,
      render_timeout: 6,
      miss_timeout: 8,
      expire,
      routes: Object.fromEntries(Object.entries(SHARDS).map(([route, shards]) => [route, { shards }])),
    };
    const workers = [OBJECTS, ...COLOS].map((name) => worker(name, isr, `http://127.0.0.1:${kv}`));
    this.#miniflare = new Miniflare(convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new NoOpLog(),
      handleStructuredLogs: ({ level, message }) => {
        if (level === "error") this.#note(message);
      },
      resourcePersistencePath: folder,
      workers,
    }));
    await this.#miniflare.ready;
    for (const name of [OBJECTS, ...COLOS]) this.#clients.set(name, await this.#miniflare.unsafeGetDirectURL(name));
  }

  #note(message) {
    const kind = message.replace(/https?:\S+|\/\S*|[0-9A-Z]{26}|\d+/g, "…").slice(0, 100);
    this.errors.set(kind, (this.errors.get(kind) ?? 0) + 1);
    if (process.env.ISR_SOAK_LOGS) console.error(`  ${message}`);
  }

  /** Ends the process at once, without a chance to write anything. */
  async kill() {
    const miniflare = this.#miniflare;
    this.#clients.clear();
    this.#miniflare = undefined;
    await miniflare?.dispose();
  }

  /** Returns where a colo listens, or `undefined` while the runtime is down. */
  address(colo) {
    return this.#clients.get(colo);
  }

  get isUp() {
    return this.#clients.size > 0;
  }

  /** Sends an admin call. Returns the status and the answer. */
  async admin(pathAndQuery, { body, timeout = 15_000 } = {}) {
    const address = this.address(OBJECTS);
    if (!address) throw new Error("the runtime is down");
    const response = await fetch(new URL(pathAndQuery, address), {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
    });
    return { status: response.status, json: await response.json() };
  }

  /** Has the objects fail from now on, or not any more. */
  async fail(faults) {
    await fetch(new URL("/soak-faults", this.address(OBJECTS)), { method: "POST", body: JSON.stringify(faults) });
  }

  /** Returns how much memory the process holds, in MiB. `undefined` where there is no `/proc`. */
  memory() {
    return memoryOf(processes().filter((pid) => !this.#others.has(pid)));
  }
}

function worker(name, isr, kvAddress) {
  const modules = ["tests/soak/platform.mjs", "build/entry.js", "build/index.js", "build/index_bg.wasm"];
  const object = (className) => ({ className, useSQLite: true, ...(name !== OBJECTS && { scriptName: OBJECTS }) });
  return {
    name,
    rootPath: root,
    modulesRoot: ".",
    modules: modules.map((file) => ({ type: file.endsWith(".wasm") ? "CompiledWasm" : "ESModule", path: file })),
    compatibilityDate,
    durableObjects: { COORDINATOR: object("IsrCoordinator"), TAG_INDEX: object("IsrTagIndex") },
    // The real one is only there to be bound.
    kvNamespaces: ["ISR_CACHE"],
    bindings: { ISR: { ...isr, cache_name: name }, ISR_ADMIN_TOKEN: ADMIN_TOKEN, KV_ADDRESS: kvAddress },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
}
