/**
 * Runs the built gateway with the demo site behind it in the real Workers runtime, as wrangler.toml binds them.
 *
 * `cargo xtask build` must have written build/. Each test file starts a runtime of its own; within a file each test
 * uses paths of its own, so that their order makes no difference.
 */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Miniflare, NoOpLog, convertV4MiniflareOptions } from "miniflare";
import { unstable_readConfig } from "wrangler";

export const root = path.resolve(import.meta.dirname, "../..");
export const adminToken = "admin-token-of-the-tests";
export const bypassToken = "bypass-token-of-the-tests";

/** The host that visitors ask for. Pages are keyed by it, so it outlives a restart; the port of the runtime doesn't. */
export const host = "isr.test";

const deployment = unstable_readConfig({ config: path.join(root, "wrangler.toml") });
const siteName = "isr-demo-site";
const siteFiles = (await readdir(path.join(root, "examples/site/src"))).filter((file) => file.endsWith(".js"));

/**
 * The value of `[vars.ISR]` in wrangler.toml, with changes.
 * @param {object} [changes] top-level settings
 * @param {Record<string, object>} [routes] routes to add or replace
 */
export function config(changes = {}, routes = {}) {
  const { ISR } = deployment.vars;
  return { ...ISR, ...changes, routes: { ...ISR.routes, ...routes } };
}

/** A Worker as Miniflare takes it: the gateway. Later tests may want several of them, sharing KV and objects. */
function gateway({ isr, bindings, kv, origin }) {
  // The main module comes first: Miniflare does not follow imports from it.
  const modules = ["src/edge/entry.mjs", "build/index.js", "build/index_bg.wasm"];
  const type = (file) => (file.endsWith(".wasm") ? "CompiledWasm" : "ESModule");
  return {
    name: deployment.name,
    rootPath: root,
    modulesRoot: ".",
    modules: modules.map((file) => ({ type: type(file), path: file })),
    compatibilityDate: deployment.compatibility_date,
    durableObjects: {
      COORDINATOR: { className: "IsrCoordinator", useSQLite: true },
      TAG_INDEX: { className: "IsrTagIndex", useSQLite: true },
    },
    kvNamespaces: kv,
    serviceBindings: origin ? { ORIGIN: origin } : {},
    bindings: { ISR: isr, ISR_ADMIN_TOKEN: adminToken, ISR_BYPASS_TOKEN: bypassToken, ...bindings },
  };
}

const site = {
  name: siteName,
  rootPath: path.join(root, "examples/site"),
  modulesRoot: "src",
  modules: ["index.js", ...siteFiles.filter((file) => file !== "index.js")].map((file) => ({
    type: "ESModule",
    path: `src/${file}`,
  })),
  compatibilityDate: deployment.compatibility_date,
  durableObjects: { STORE: { className: "SiteStore", useSQLite: true } },
  serviceBindings: { GATEWAY: deployment.name },
};

/**
 * Starts the runtime.
 * @param {object} [options]
 * @param {any} [options.isr] the variable `ISR`; by default that of wrangler.toml
 * @param {Record<string, unknown>} [options.bindings] more variables and secrets; `undefined` takes one away
 * @param {string[]} [options.kv] names of KV namespaces
 * @param {string | null} [options.origin] the Worker bound as `ORIGIN`
 * @param {object[]} [options.workers] more Workers, as Miniflare takes them
 * @param {string} [options.folder] keeps the state of objects, KV and caches; by default it is gone at the end
 */
export async function start({
  isr = config(), bindings = {}, kv = ["ISR_CACHE"], origin = siteName, workers = [], folder,
} = {}) {
  const all = gateway({ isr, bindings, kv, origin });
  for (const [name, value] of Object.entries(all.bindings)) if (value === undefined) delete all.bindings[name];
  const logs = [];
  const miniflare = new Miniflare(convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    log: new NoOpLog(),
    handleStructuredLogs: ({ level, message }) => {
      logs.push(`${level}: ${message}`);
      if (process.env.ISR_E2E_LOGS) console.log(`  [${level}] ${message}`);
    },
    resourcePersistencePath: folder,
    workers: [all, site, ...workers],
  }));
  const { origin: address } = await miniflare.ready;
  return new Runtime(miniflare, address, logs);
}

class Runtime {
  #miniflare;
  #address;

  constructor(miniflare, address, logs) {
    this.#miniflare = miniflare;
    this.#address = address;
    /** What the Workers have logged: `level: message`. */
    this.logs = logs;
  }

  /** Sends a visitor's request to the gateway, and reads the answer to its end. */
  async fetch(pathAndQuery, { timeout = 20_000, headers = {}, ...init } = {}) {
    const began = performance.now();
    const response = await fetch(this.#address + pathAndQuery, {
      redirect: "manual",
      signal: AbortSignal.timeout(timeout),
      ...init,
      // As it is: the local runtime would compress what production leaves to the network in front.
      headers: { host, "accept-encoding": "identity", ...headers },
    });
    return read(response, began);
  }

  /** Sends a request to another Worker, past the gateway. */
  async ask(worker, pathAndQuery, init = {}) {
    const began = performance.now();
    const fetcher = await this.#miniflare.getWorker(worker);
    const asked = fetcher.fetch(`http://${host}${pathAndQuery}`, { redirect: "manual", ...init });
    return read(await within(20_000, asked), began);
  }

  site(pathAndQuery, init) {
    return this.ask(siteName, pathAndQuery, init);
  }

  /** Tells the page /lab/<name> how to behave from now on; see examples/site/README.md. */
  async lab(name, behaviour) {
    const answer = await this.site(`/lab/${name}`, { method: "POST", body: JSON.stringify(behaviour) });
    assert.equal(answer.status, 200, answer.text);
    return `/lab/${name}`;
  }

  /** Returns how often the page /lab/<name> was rendered. */
  async renders(name) {
    return JSON.parse((await this.site(`/lab-stats/${name}`)).text).renders;
  }

  /** Asks for a page until `X-ISR-Status` is this, and returns that answer. */
  untilStatus(pathAndQuery, status) {
    return until(`${status} for ${pathAndQuery}`, async () => {
      const answer = await this.fetch(pathAndQuery);
      return answer.isr === status && answer;
    });
  }

  /** Lists what is stored in L2 under a path: the names of KV entries are the pages' URLs. */
  async stored(path) {
    const kv = await this.#miniflare.getKVNamespace("ISR_CACHE", deployment.name);
    const { keys } = await kv.list({ prefix: `http://${host}${path}` });
    return keys.map((key) => key.name);
  }

  /** Invalidates over HTTP, as the holder of the admin token. */
  revalidate(body, { token = adminToken, ...init } = {}) {
    return this.fetch("/__isr/revalidate", {
      method: "POST",
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...init,
    });
  }

  /** Ends the runtime at this moment: Miniflare sends it SIGKILL, and nothing is told or flushed before. */
  async kill() {
    await this.#miniflare.dispose();
  }
}

/** An answer that has been read to its end. */
async function read(response, began) {
  const body = Buffer.from(await response.arrayBuffer());
  const { status, headers } = response;
  return {
    status,
    headers,
    body,
    get text() {
      return body.toString();
    },
    /** `X-ISR-Status`. */
    isr: headers.get("x-isr-status"),
    /** The number of the render that the body comes from. */
    render: Number(headers.get("x-render-count")),
    cacheStatus: cacheStatus(headers.get("cache-status")),
    millis: performance.now() - began,
  };
}

/** Reads a `Cache-Status` of one member (RFC 9211): `{ cache, hit: true, ttl: 5 }`. */
export function cacheStatus(value) {
  if (value === null) return null;
  const [cache, ...parameters] = value.split(";").map((part) => part.trim());
  const entries = parameters.map((parameter) => {
    const [name, text] = parameter.split("=");
    return [name, text === undefined ? true : /^-?\d+$/.test(text) ? Number(text) : text];
  });
  return { cache, ...Object.fromEntries(entries) };
}

/** Makes a folder that is removed at the end of the test. */
export async function folderFor(t) {
  const folder = await mkdtemp(path.join(tmpdir(), "isr-e2e-"));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** Asks again and again until there is an answer that is not false, and returns it. */
export async function until(what, ask, { timeout = 10_000, every = 50 } = {}) {
  const deadline = performance.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(performance.now() < deadline, `${what}: not within ${timeout} ms`);
    await sleep(every);
  }
}

/** Waits for a promise, but not for ever. */
export async function within(millis, promise) {
  const timer = new AbortController();
  const late = sleep(millis, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`no answer within ${millis} ms`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
    late.catch(() => {});
  }
}
