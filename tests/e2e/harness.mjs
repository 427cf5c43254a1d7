/**
 * Runs the built gateway with the demo site behind it in the real Workers runtime, with the bindings of wrangler.toml.
 *
 * `cargo xtask build` must have written build/. Each test file starts its own runtime; within a file each test uses its
 * own paths, so that their order does not matter.
 */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliDecompressSync, gunzipSync } from "node:zlib";

import { heapBytes } from "../inspector.mjs";
import { until } from "../server.mjs";
import { Miniflare, NoOpLog, convertV4MiniflareOptions } from "miniflare";
import { unstable_readConfig } from "wrangler";

export { until };
export const root = path.resolve(import.meta.dirname, "../..");
export const adminToken = "admin-token-of-the-tests";
export const bypassToken = "bypass-token-of-the-tests";

/** The host that visitors ask for. Pages are keyed by it, so it outlives a restart; the port of the runtime doesn't. */
export const host = "isr.test";

const deployment = unstable_readConfig({ config: path.join(root, "wrangler.toml") });
const classes = { COORDINATOR: "IsrCoordinator", TAG_INDEX: "IsrTagIndex" };
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

/** A Worker as Miniflare takes it: the gateway. Several of them may share KV and objects. */
function gateway({ isr, bindings, kv, r2 = [], origin, objects, services, main = [], sqlite = true }) {
  // The main module comes first: Miniflare does not follow imports from it.
  const modules = [...main, "build/entry.js", "build/index.js", "build/index_bg.wasm"];
  const type = (file) => (file.endsWith(".wasm") ? "CompiledWasm" : "ESModule");
  return {
    name: deployment.name,
    rootPath: root,
    modulesRoot: ".",
    modules: modules.map((file) => ({ type: type(file), path: file })),
    compatibilityDate: deployment.compatibility_date,
    durableObjects: Object.fromEntries(
      Object.entries(objects).map(([binding, className]) => [binding, { className, useSQLite: sqlite }]),
    ),
    kvNamespaces: kv,
    r2Buckets: r2,
    serviceBindings: { ...(origin && { ORIGIN: origin }), ...services },
    bindings: { ISR: isr, ISR_ADMIN_TOKEN: adminToken, ISR_BYPASS_TOKEN: bypassToken, ...bindings },
  };
}

/**
 * The gateway as another colo has it: an isolate and an L1 of its own, before the same KV and the same objects.
 * @param {string} name
 * @param {object} isr
 * @param {object} [options] as those of `start`
 */
export function colo(name, isr, { kv = ["ISR_CACHE"], r2, services = {}, main } = {}) {
  const worker = gateway({ isr: { ...isr, cache_name: name }, bindings: {}, kv, r2, origin: siteName, objects: classes, services, main });
  for (const object of Object.values(worker.durableObjects)) object.scriptName = deployment.name;
  return { ...worker, name };
}

/**
 * Another deployment on the same zone: a gateway with its own objects and its own KV, which shares only the Cache API.
 * @param {string} name
 * @param {object} isr
 */
export function neighbour(name, isr) {
  return { ...gateway({ isr, bindings: {}, kv: { ISR_CACHE: name }, origin: siteName, objects: classes }), name };
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
 * @param {string[]} [options.r2] names of R2 buckets
 * @param {Record<string, unknown>} [options.services] more bindings to Workers
 * @param {string} [options.kvOwner] the Worker to which the real KV is bound as `ISR_CACHE`, if it is not the gateway
 * @param {string | null} [options.origin] the Worker bound as `ORIGIN`
 * @param {Record<string, string>} [options.objects] classes of Durable Objects by binding
 * @param {boolean} [options.sqlite] whether the classes of the objects have SQLite
 * @param {object[]} [options.workers] more Workers, as Miniflare takes them
 * @param {string[]} [options.main] modules in front of the gateway's own, the main one first
 * @param {boolean} [options.troubled] whether the platform can be made to fail: see {@link Runtime.trouble}
 * @param {number} [options.port] by default any that is free
 * @param {boolean} [options.inspect] whether the heap can be measured: see {@link Runtime.memory}
 * @param {string} [options.folder] keeps the state of objects, KV and caches; by default it is gone at the end
 */
export async function start({
  bindings = {}, kv = ["ISR_CACHE"], r2, services = {}, kvOwner = deployment.name, origin = siteName, objects = classes, workers = [],
  sqlite, troubled, inspect, main: mainModules = mainModulesOf({ troubled, inspect }), port = 0, folder, ...rest
} = {}) {
  const isr = "isr" in rest ? rest.isr : config();
  const main = gateway({ isr, bindings, kv, r2, origin, objects, services, sqlite, main: mainModules });
  for (const [name, value] of Object.entries(main.bindings)) if (value === undefined) delete main.bindings[name];
  const logs = [];
  const miniflare = new Miniflare(convertV4MiniflareOptions({
    host: "127.0.0.1",
    port,
    log: new NoOpLog(),
    handleStructuredLogs: ({ level, message }) => {
      logs.push(`${level}: ${message}`);
      if (process.env.ISR_E2E_LOGS) console.log(`  [${level}] ${message}`);
    },
    resourcePersistencePath: folder,
    ...(inspect && { inspectorPort: 0 }),
    workers: [main, site, ...workers],
  }));
  const { origin: address } = await miniflare.ready;
  const runtime = new Runtime(miniflare, address, logs, kvOwner);
  running.add(runtime);
  return runtime;
}

function mainModulesOf({ troubled, inspect }) {
  if (inspect) return ["tests/e2e/measured.mjs", "tests/wasm-memory.mjs"];
  return troubled ? ["tests/e2e/troubled.mjs"] : [];
}

/** What is left at the end of the file goes, whatever has become of its tests. */
const running = new Set();
const folders = [];
after(async () => {
  await Promise.all([...running].map((runtime) => runtime.kill()));
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true, maxRetries: 3 })));
});

class Runtime {
  #miniflare;
  #kvOwner;

  constructor(miniflare, address, logs, kvOwner) {
    this.#miniflare = miniflare;
    this.#kvOwner = kvOwner;
    /** Where the gateway listens, as the URL of its origin. */
    this.address = address;
    /** What the Workers have logged: `level: message`. */
    this.logs = logs;
  }

  /** Sends a visitor's request to the gateway, and reads the answer to its end. Redirects are not followed. */
  async fetch(pathAndQuery, { method = "GET", headers = {}, body, timeout = 20_000, visitedHost = host } = {}) {
    const began = performance.now();
    const response = await this.#request(pathAndQuery, { method, headers, body, timeout, visitedHost });
    const bytes = decoded(Buffer.concat(await response.toArray()), response.headers["content-encoding"]);
    return new Answer(response.statusCode, headersOf(response), bytes, performance.now() - began);
  }

  /** Sends a visitor's request to the gateway, and returns once the first byte of the body is there. */
  async watch(pathAndQuery, { timeout = 60_000 } = {}) {
    const began = performance.now();
    const response = await this.#request(pathAndQuery, { method: "GET", headers: {}, timeout, visitedHost: host });
    const watched = new Watched(response);
    await watched.began;
    watched.firstMillis = performance.now() - began;
    return watched;
  }

  /** Not by fetch(), which can't name another host than the address. */
  #request(pathAndQuery, { method, headers, body, timeout, visitedHost }) {
    return new Promise((resolve, reject) => {
      const options = { method, headers: { ...headers, host: visitedHost }, signal: AbortSignal.timeout(timeout) };
      http.request(this.address + pathAndQuery, options, resolve).on("error", reject).end(body);
    });
  }

  /** Sends a request to another Worker, past the gateway. */
  async ask(worker, pathAndQuery, init = {}) {
    const began = performance.now();
    const fetcher = await this.#miniflare.getWorker(worker);
    const asked = fetcher.fetch(`http://${host}${pathAndQuery}`, { redirect: "manual", ...init });
    const response = await within(20_000, asked);
    const bytes = Buffer.from(await response.arrayBuffer());
    return new Answer(response.status, response.headers, bytes, performance.now() - began);
  }

  /** Returns the gateway's Worker, to send it events. */
  worker() {
    return this.#miniflare.getWorker(deployment.name);
  }

  site(pathAndQuery, init) {
    return this.ask(siteName, pathAndQuery, init);
  }

  /** Sets how the page /lab/<name> behaves from now on; see examples/site/README.md. */
  async lab(name, behaviour) {
    const answer = await this.site(`/lab/${name}`, { method: "POST", body: JSON.stringify(behaviour) });
    assert.equal(answer.status, 200, answer.text);
    return `/lab/${name}`;
  }

  /** Returns how often the page /lab/<name> was rendered. */
  async renders(name) {
    return (await this.labStats(name)).renders;
  }

  async labStats(name) {
    return (await this.site(`/lab-stats/${name}`)).json;
  }

  /**
   * Has the platform fail from now on, or not any more. For a runtime that was started with `troubled`.
   * @param {import("./troubled.mjs").Trouble} trouble
   */
  async trouble(trouble) {
    const answer = await this.fetch("/trouble", { method: "POST", body: JSON.stringify(trouble) });
    assert.equal(answer.status, 200, answer.text);
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
    const kv = await this.#miniflare.getKVNamespace("ISR_CACHE", this.#kvOwner);
    const { keys } = await kv.list({ prefix: `http://${host}${path}` });
    return keys.map((key) => key.name);
  }

  /** The R2 bucket that is bound to the gateway as `ISR_BUCKET`. */
  bucket() {
    return this.#miniflare.getR2Bucket("ISR_BUCKET", deployment.name);
  }

  /** Invalidates over HTTP, as the holder of the admin token. */
  revalidate(what, { headers: more } = {}) {
    const headers = { authorization: `Bearer ${adminToken}`, ...more };
    return this.fetch("/__isr/revalidate", { method: "POST", headers, body: JSON.stringify(what) });
  }

  /** Invalidates over HTTP at another Worker, which has a direct socket. Returns the status and the answer. */
  async revalidateBy(worker, what) {
    const address = await this.#miniflare.unsafeGetDirectURL(worker);
    const headers = { authorization: `Bearer ${adminToken}` };
    const init = { method: "POST", headers, body: JSON.stringify(what), signal: AbortSignal.timeout(20_000) };
    const response = await fetch(new URL("/__isr/revalidate", address), init);
    return { status: response.status, json: await response.json() };
  }

  /** Returns the MiB that the isolate of the gateway and its objects holds. For a runtime that was started with `inspect`. */
  async memory() {
    const wasm = Number((await this.fetch("/wasm-bytes")).text);
    return Math.round((wasm + (await heapBytes(await this.#miniflare.getInspectorURL(), deployment.name))) / 1024 / 1024);
  }

  /** Kills the runtime: Miniflare sends SIGKILL, so nothing is flushed first. */
  async kill() {
    running.delete(this);
    await this.#miniflare.dispose();
  }
}

/** An answer that is still coming. */
class Watched {
  #response;

  constructor(response) {
    this.#response = response;
    const headers = headersOf(response);
    this.status = response.statusCode;
    this.isr = headers.get("x-isr-status");
    this.cacheStatus = cacheStatus(headers.get("cache-status"));
    this.render = Number(headers.get("x-render-count"));
    const chunks = [];
    /** Resolves with the first byte, or at the end. */
    this.began = new Promise((resolve) => {
      for (const event of ["data", "end", "error", "close"]) response.once(event, resolve);
    });
    /** Resolves to the body, or to "broken off". */
    this.body = new Promise((resolve) => {
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve(response.complete ? Buffer.concat(chunks) : "broken off"));
      response.on("error", () => resolve("broken off"));
    });
  }

  /** Stops reading for a while. */
  pause() {
    this.#response.pause();
  }

  resume() {
    this.#response.resume();
  }

  /** Goes away in the middle. */
  leave() {
    this.#response.destroy();
  }
}

/** An answer that has been read to its end. */
class Answer {
  constructor(status, headers, body, millis) {
    Object.assign(this, { status, headers, body, millis });
    this.text = body.toString();
    /** `X-ISR-Status`. */
    this.isr = headers.get("x-isr-status");
    this.cacheStatus = cacheStatus(headers.get("cache-status"));
    /** The number of the render that the body comes from. */
    this.render = Number(headers.get("x-render-count"));
  }

  get json() {
    return JSON.parse(this.text);
  }
}

function headersOf(response) {
  return new Headers(Object.entries(response.headersDistinct).flatMap(([name, lines]) => lines.map((line) => [name, line])));
}

/** Undoes the compression that a response says it has. */
function decoded(body, encoding) {
  if (body.length === 0) return body;
  return encoding === "gzip" ? gunzipSync(body) : encoding === "br" ? brotliDecompressSync(body) : body;
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

/** Makes a folder for the state of a runtime. */
export async function newFolder(within = tmpdir()) {
  const folder = await mkdtemp(path.join(within, "isr-e2e-"));
  folders.push(folder);
  return folder;
}

/** Waits for a promise, for a limited time. */
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
