// The Workers that are measured, all of them in one process of the local runtime.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** All Workers are asked under one name, so that their keys are the same. */
export const HOST = "bench.example";

const COMPATIBILITY_DATE = "2026-11-01";
const SITE = join(ROOT, "examples/site");

/** The routes of the gateway: pages that do not age while they are measured. */
const SETTINGS = { routes: { "/size/[bytes]": { revalidate: false, query: ["n"] }, "/lab/[name]": { revalidate: false } } };

/**
 * Starts the runtime. Each Worker listens on a port of its own, without the proxy that Miniflare otherwise puts in front.
 *
 * - `site`: the example site, uncached
 * - `gateway`: the gateway in front of it
 * - `gateway-l2`: the same with an L1 of its own, called `l2`, that can be emptied
 * - `bare`: a cache as small as it can be, `bare.mjs`
 * - `bare-l2`: the same with KV behind
 *
 * @param {object} [options]
 * @param {Record<string, string>} [options.more] More gateways, by name, with the folder that holds their `build/`.
 * @returns {Promise<{ ports: Record<string, number>, dispose: () => Promise<void> }>}
 */
export async function start({ more = {} } = {}) {
	const gateways = { gateway: ROOT, "gateway-l2": ROOT, ...more };
	const workers = [
		worker("site", SITE, ["src/index.js", ...modulesOf(SITE, "src", "index.js")], {
			durableObjects: { STORE: { className: "SiteStore", useSQLite: true } },
		}),
		...Object.entries(gateways).map(([name, root]) => gateway(name, root)),
		...["bare", "bare-l2"].map((name) =>
			worker(name, join(ROOT, "tests/bench"), ["bare.mjs"], {
				bindings: { CACHE_NAME: name },
				serviceBindings: { ORIGIN: "site" },
				kvNamespaces: name === "bare" ? {} : { KV: "bare" },
			}),
		),
	];
	const miniflare = new Miniflare(
		convertV4MiniflareOptions({ host: "127.0.0.1", port: 0, log: new Log(LogLevel.WARN), workers }),
	);
	await miniflare.ready;
	const ports = {};
	for (const { name } of workers) ports[name] = Number((await miniflare.unsafeGetDirectURL(name)).port);
	return { ports, dispose: () => miniflare.dispose() };
}

function gateway(name, root) {
	// The objects are those of the first gateway: the others are other colos, as it were.
	const object = (className) => (name === "gateway" ? { className, useSQLite: true } : { className, scriptName: "gateway", useSQLite: true });
	return worker(name, root, ["src/edge/entry.mjs", "build/index.js", "build/index_bg.wasm"], {
		bindings: { ISR: { ...SETTINGS, cache_name: name } },
		serviceBindings: { ORIGIN: "site" },
		kvNamespaces: { ISR_CACHE: "isr" },
		durableObjects: { COORDINATOR: object("IsrCoordinator"), TAG_INDEX: object("IsrTagIndex") },
	});
}

function worker(name, root, paths, options) {
	const type = (path) => (path.endsWith(".wasm") ? "CompiledWasm" : "ESModule");
	return {
		name,
		rootPath: root,
		modulesRoot: root,
		modules: paths.map((path) => ({ type: type(path), path: join(root, path) })),
		compatibilityDate: COMPATIBILITY_DATE,
		unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
		...options,
	};
}

function modulesOf(root, folder, except) {
	const names = readdirSync(join(root, folder)).filter((name) => name.endsWith(".js") && name !== except);
	return names.map((name) => `${folder}/${name}`);
}
