// The measured Workers, all in one process of the local runtime.

import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_readConfig } from "wrangler";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** All Workers are asked under one name, so that their keys are the same. */
export const HOST = "bench.example";

const { compatibility_date: compatibilityDate } = unstable_readConfig({ config: join(ROOT, "wrangler.toml") });
const BENCH = join(ROOT, "tests/bench");
const OBJECTS = join(BENCH, "coordinator");
const SITE = join(ROOT, "examples/site");

/** The routes of the gateway: pages that do not age while they are measured. `n` makes many pages of one size. */
export const ROUTES = { "/size/[bytes]": { revalidate: false, query: ["n"] }, "/lab/[name]": { revalidate: false } };

/** What selects a variant of a page at `gateway-variants`. */
const VARIANTS = { language: ["en", "de"], cookie: { theme: ["dark", "light"] } };

/** The sizes of pages that are served from the in-isolate tier. */
export const MEMORY_SIZES = [1024, 51_200, 256_000];

/** Objects keep what they hold in memory: an idle one would be given up after ten seconds. */
const OBJECT = { useSQLite: true, unsafePreventEviction: true };

/** The holder may invalidate at `counted`. */
export const ADMIN_TOKEN = "admin-token-of-the-benchmark";

/** How many objects share the pages of `/of`. */
export const SHARDS = 8;

/** A route for each object that is measured separately: an object forwards requests for pages of other objects. */
export const MOST_OBJECTS = 100;

/** The routes of the gateways whose objects are measured. A page of `/stale0` and so on is stale after a second. */
const OBJECT_ROUTES = {
  "/of/[bytes]/[name]": { revalidate: false, shards: SHARDS },
  ...Object.fromEntries(
    Array.from({ length: MOST_OBJECTS }, (_, number) => [
      [`/page${number}/[bytes]/[name]`, { revalidate: false }],
      [`/stale${number}/[bytes]/[name]`, { revalidate: 1 }],
    ]).flat(),
  ),
};

/**
 * Starts the runtime. Each Worker listens on a port of its own, without the proxy that Miniflare otherwise puts in front.
 *
 * - `site`: the example site, uncached
 * - `gateway`: the gateway in front of it, without the in-isolate tier
 * - `gateway-l1`: the same in another colo, without objects in its isolate, as those of `others`
 * - `gateway-memory`: the same gateway with that tier, in another colo
 * - `gateway-uncounted`, `gateway-memory-uncounted`: these two with `metrics = false`
 * - `gateway-variants`: the same with variants of its pages, and with objects of its own
 * - `gateway-l2`: the same gateway in another colo, as it were: same objects, same KV, an L1 of its own
 * - `bare`: as small a cache as there can be, `bare.mjs`
 * - `bare-304`: the same for visitors who have the page already, `bare-304.mjs`
 * - `bare-l2`: as `bare`, with KV behind it
 * - `constant-1024` and so on: a Worker that returns a constant of so many bytes, `constant.mjs`
 *
 * @param {Record<string, string>} [others] More gateways, by name, with the folder of each.
 */
export async function start(others = {}) {
  const gateways = { gateway: ROOT, "gateway-l1": ROOT, "gateway-l2": ROOT, ...others };
  const varied = Object.fromEntries(Object.entries(ROUTES).map(([pattern, route]) => [pattern, { ...route, vary: VARIANTS }]));
  const workers = [
    worker("site", SITE, ["src/index.js", ...modulesBeside(join(SITE, "src"), "index.js")], {
      durableObjects: { STORE: { className: "SiteStore", useSQLite: true } },
    }),
    ...Object.entries(gateways).map(([name, root]) => gateway(name, root, { objectsOf: "gateway", settings: withoutMemory(root) })),
    gateway("gateway-memory", ROOT, { objectsOf: "gateway" }),
    gateway("gateway-uncounted", ROOT, { objectsOf: "gateway", settings: { memory_bytes: 0, metrics: false } }),
    gateway("gateway-memory-uncounted", ROOT, { objectsOf: "gateway", settings: { metrics: false } }),
    gateway("gateway-variants", ROOT, { routes: varied, kv: "variants" }),
    ...MEMORY_SIZES.map((bytes) => worker(`constant-${bytes}`, BENCH, ["constant.mjs"], { bindings: { BYTES: bytes } })),
    bare("bare", {}),
    bare("bare-304", {}, ["bare-304.mjs", "bare.mjs"]),
    bare("bare-l2", { KV: "bare" }),
    janitor("gateway"),
  ];
  return launch(workers);
}

/**
 * Starts the runtime for what is measured at the objects themselves.
 *
 * - `site`: pages of any size, held back if need be
 * - `gateway`, and more gateways by name: those whose coordinators are measured
 * - `counted`: the same gateway, counting what it and its objects ask the platform for
 * - `bare`: objects that give the coordinator's answers
 * - `driver`: sends messages to all of these
 * - `janitor`: empties the cache of a gateway
 *
 * A disk that other programs use as well would be most of what is measured: SQLite waits for it at every write. So the
 * databases lie in memory, where the system offers that.
 *
 * @param {{ others?: Record<string, string>, inspect?: boolean, renderTimeout?: number }} options `inspect`: heaps can be
 *   looked at; `renderTimeout`: in seconds.
 */
export async function startObjects({ others = {}, inspect = false, renderTimeout } = {}) {
  const gateways = { gateway: ROOT, ...others };
  const classes = { BARE: "Bare", BARE_PARKS: "BareParks", BARE_WRITES: "BareWrites", BARE_RENDERS: "BareRenders" };
  const objects = Object.entries(classes).map(([binding, className]) => [binding, { className, ...OBJECT }]);
  const coordinators = [...Object.keys(gateways), "counted"];
  const driven = Object.fromEntries([
    ...coordinators.map((name) => [name, { className: "IsrCoordinator", scriptName: name, ...OBJECT }]),
    ...objects.map(([binding, object]) => [binding, { ...object, scriptName: "bare" }]),
    ["TAG_INDEX", { className: "IsrTagIndex", scriptName: "counted", ...OBJECT }],
  ]);
  const settings = { canonical_origin: `https://${HOST}`, ...(renderTimeout && { render_timeout: renderTimeout }) };
  const own = { routes: OBJECT_ROUTES, kv: "", main: [], settings };
  const workers = [
    worker("site", OBJECTS, ["site.mjs"], {}),
    ...Object.entries(gateways).map(([name, root]) => gateway(name, root, { ...own, kv: name })),
    gateway("counted", ROOT, { ...own, kv: "counted", main: ["tests/bench/coordinator/counted.mjs", "tests/wasm-memory.mjs"] }),
    worker("bare", OBJECTS, ["bare.mjs"], {
      durableObjects: Object.fromEntries(objects),
      serviceBindings: { ORIGIN: "site" },
      kvNamespaces: { KV: "bare" },
    }),
    worker("driver", OBJECTS, ["driver.mjs", "cbor.mjs"], { durableObjects: driven, serviceBindings: { SITE: "site" } }),
    janitor("counted"),
  ];
  return launch(workers, inspect ? { inspectorPort: 0 } : {}, memoryFolder());
}

/** The settings of `feed` that are compared, and how many colos each has. */
export const FEEDS = ["push", "poll"];
export const COLOS = 8;

/**
 * Starts the runtime for what is measured of the feed: for each setting of `feed` a gateway of that name with objects of
 * its own, and further colos of it, `push-0` and so on.
 */
export async function startFeeds() {
  const colos = FEEDS.flatMap((feed) => {
    const own = { kv: feed, objectsOf: feed, settings: { feed } };
    const names = Array.from({ length: COLOS }, (_, number) => `${feed}-${number}`);
    return [feed, ...names].map((name) => gateway(name, ROOT, own));
  });
  const site = worker("site", SITE, ["src/index.js", ...modulesBeside(join(SITE, "src"), "index.js")], {
    durableObjects: { STORE: { className: "SiteStore", useSQLite: true } },
  });
  return launch([site, ...colos], {}, memoryFolder());
}

/** Starts Workers. Their databases lie in a folder below `folder`, which is deleted in the end. */
async function launch(workers, more = {}, folder = tmpdir()) {
  const before = new Set(children());
  const options = { host: "127.0.0.1", port: 0, cf: false, log: new Log(LogLevel.WARN), workers, ...more };
  const { TMPDIR } = process.env;
  process.env.TMPDIR = folder;
  const miniflare = new Miniflare(convertV4MiniflareOptions(options));
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  try {
    await miniflare.ready;
    const ports = {};
    for (const { name } of workers) ports[name] = Number((await miniflare.unsafeGetDirectURL(name)).port);
    const pids = children().filter((pid) => !before.has(pid));
    const inspector = "inspectorPort" in more ? await miniflare.getInspectorURL() : undefined;
    return { ports, pids, inspector, dispose: () => miniflare.dispose() };
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}

/** Returns a folder that lies in memory, or `undefined` if there is none, or one with too little room. */
function memoryFolder() {
  const folder = "/dev/shm";
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > 1e9 ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Returns settings without the in-isolate tier. An older checkout does not have it. */
function withoutMemory(root) {
  return existsSync(join(root, "src/visit/memory.rs")) ? { memory_bytes: 0 } : {};
}

function gateway(name, root, { routes = ROUTES, settings = {}, kv = "isr", main = [], objectsOf = name } = {}) {
  const object = (className) => ({ className, ...OBJECT, ...(objectsOf !== name && { scriptName: objectsOf }) });
  // An older checkout has its entry module as it is.
  const entry = existsSync(join(root, "build/entry.js")) ? "build/entry.js" : "src/edge/entry.mjs";
  return worker(name, root, [...main, entry, "build/index.js", "build/index_bg.wasm"], {
    bindings: { ISR: { cache_name: name, ...settings, routes }, ISR_ADMIN_TOKEN: ADMIN_TOKEN },
    serviceBindings: { ORIGIN: "site" },
    kvNamespaces: { ISR_CACHE: kv },
    durableObjects: { COORDINATOR: object("IsrCoordinator"), TAG_INDEX: object("IsrTagIndex") },
  });
}

/** The Worker that empties caches of gateways that have the objects of this one. */
function janitor(scriptName) {
  const durableObjects = { TAG_INDEX: { className: "IsrTagIndex", scriptName, ...OBJECT } };
  return worker("janitor", BENCH, ["janitor.mjs"], { durableObjects });
}

function bare(name, kvNamespaces, files = ["bare.mjs"]) {
  const options = { bindings: { CACHE_NAME: name }, serviceBindings: { ORIGIN: "site" }, kvNamespaces };
  return worker(name, BENCH, files, options);
}

function worker(name, root, paths, options) {
  const type = (path) => (path.endsWith(".wasm") ? "CompiledWasm" : "ESModule");
  return {
    name,
    rootPath: root,
    modulesRoot: root,
    modules: paths.map((path) => ({ type: type(path), path: join(root, path) })),
    compatibilityDate,
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    ...options,
  };
}

function modulesBeside(folder, main) {
  const names = readdirSync(folder).filter((name) => name.endsWith(".js") && name !== main);
  return names.map((name) => `src/${name}`);
}

/**
 * Returns how many seconds of processor time the runtime has used: a measure that other programs on the machine do not
 * disturb as they do the clock's. `undefined` where there is no `/proc`.
 */
export function cpuSeconds() {
  const ticks = children().map((pid) => Number(stat(pid)[11]) + Number(stat(pid)[12]));
  // The kernel counts in hundredths of a second for programs, whatever it uses itself.
  return ticks.length === 0 ? undefined : ticks.reduce((sum, one) => sum + one, 0) / 100;
}

/** Returns how many bytes of memory processes hold (resident set). `undefined` where there is no `/proc`. */
export function residentBytes(pids) {
  const kilobytes = pids.map((pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0));
  return kilobytes.length === 0 ? undefined : kilobytes.reduce((sum, one) => sum + one, 0) * 1024;
}

/** The processes that this one has started. None where there is no `/proc`. */
function children() {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(stat(name)[1]) === process.pid);
  } catch {
    return [];
  }
}

/** What follows the name of a process: state, parent, ..., user and system time. */
function stat(pid) {
  try {
    // The name, in parentheses, may hold blanks.
    return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
