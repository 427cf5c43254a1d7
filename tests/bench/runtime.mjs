// The Workers that are measured, all of them in one process of the local runtime.

import { readdirSync, readFileSync } from "node:fs";
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
const SITE = join(ROOT, "examples/site");

/** The routes of the gateway: pages that do not age while they are measured. `n` makes many pages of one size. */
const ROUTES = { "/size/[bytes]": { revalidate: false, query: ["n"] }, "/lab/[name]": { revalidate: false } };

/**
 * Starts the runtime. Each Worker listens on a port of its own, without the proxy that Miniflare otherwise puts in front.
 *
 * - `site`: the example site, uncached
 * - `gateway`: the gateway in front of it
 * - `gateway-l2`: the same gateway in another colo, as it were: same objects, same KV, an L1 of its own
 * - `bare`: as small a cache as there can be, `bare.mjs`
 * - `bare-l2`: the same with KV behind it
 *
 * @param {Record<string, string>} [others] More gateways, by name, with the folder of each.
 */
export async function start(others = {}) {
  const gateways = { gateway: ROOT, "gateway-l2": ROOT, ...others };
  const workers = [
    worker("site", SITE, ["src/index.js", ...modulesBeside(join(SITE, "src"), "index.js")], {
      durableObjects: { STORE: { className: "SiteStore", useSQLite: true } },
    }),
    ...Object.entries(gateways).map(([name, root]) => gateway(name, root)),
    bare("bare", {}),
    bare("bare-l2", { KV: "bare" }),
    worker("janitor", BENCH, ["janitor.mjs"], {}),
  ];
  const options = { host: "127.0.0.1", port: 0, cf: false, log: new Log(LogLevel.WARN), workers };
  const miniflare = new Miniflare(convertV4MiniflareOptions(options));
  try {
    await miniflare.ready;
    const ports = {};
    for (const { name } of workers) ports[name] = Number((await miniflare.unsafeGetDirectURL(name)).port);
    return { ports, dispose: () => miniflare.dispose() };
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}

function gateway(name, root) {
  const first = name === "gateway" ? {} : { scriptName: "gateway" };
  const object = (className) => ({ className, useSQLite: true, ...first });
  return worker(name, root, ["src/edge/entry.mjs", "build/index.js", "build/index_bg.wasm"], {
    bindings: { ISR: { cache_name: name, routes: ROUTES } },
    serviceBindings: { ORIGIN: "site" },
    kvNamespaces: { ISR_CACHE: "isr" },
    durableObjects: { COORDINATOR: object("IsrCoordinator"), TAG_INDEX: object("IsrTagIndex") },
  });
}

function bare(name, kvNamespaces) {
  const options = { bindings: { CACHE_NAME: name }, serviceBindings: { ORIGIN: "site" }, kvNamespaces };
  return worker(name, BENCH, ["bare.mjs"], options);
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
  try {
    let ticks = 0;
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      ticks += ticksOfChild(pid);
    }
    // The kernel counts in hundredths of a second for programs, whatever it uses itself.
    return ticks / 100;
  } catch {
    return undefined;
  }
}

function ticksOfChild(pid) {
  try {
    // The name, in parentheses, may hold blanks. After it: state, parent, ..., user and system time.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
    return Number(fields[1]) === process.pid ? Number(fields[11]) + Number(fields[12]) : 0;
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}
