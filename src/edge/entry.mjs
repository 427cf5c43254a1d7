// The module that wrangler loads: the Worker built from Rust, with its methods named for RPC. A method reaches a Durable
// Object by RPC only if the object's class extends `DurableObject`, which classes made by wasm-bindgen do not: so each
// stands in front of its Rust instance. Whatever stands on these prototypes can be called over a binding, and so
// nothing else does.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import Gateway, { IsrCoordinator as RustCoordinator, IsrTagIndex as RustTagIndex } from "../../build/index.js";

/** An RPC call that was not carried out: `code` is for programs, `message` for people. */
class IsrError extends Error {
	constructor({ code, message }) {
		super(message);
		this.name = "IsrError";
		this.code = code;
	}
}

/** Reads the answer of a call: its value, or an exception. */
function answer(text) {
	const value = JSON.parse(text);
	if (value.error) throw new IsrError(value.error);
	return value;
}

/** Calls a method of an object that is written in Rust. */
async function call(object, method, argument, options) {
	const request = new Request("https://object/v1/rpc", { method: "POST", body: JSON.stringify({ method, argument, options }) });
	const response = await object.fetch(request);
	if (!response.ok) throw new IsrError({ code: "unavailable", message: "the object could not carry it out; try again" });
	return answer(await response.text());
}

/** The most URLs and pages whose key or plan is remembered. */
const MOST = 1000;

/** The most characters that the headers in remembered plans have together: an isolate has 128 MB for everything. */
const MOST_CHARACTERS = 4_000_000;

/** Keys of URLs: they depend on the configuration alone, which an isolate never sees change. */
const keys = new Map();

/** What plans make of copies, by key. Whether a plan holds is asked each time. */
const plans = new Map();
let characters = 0;

function remember(map, key, value) {
	if (map.size >= MOST && !map.has(key)) map.clear();
	map.set(key, value);
	return value;
}

/** Carries a plan out for a copy: with which headers it is answered, and with which ones a visitor is told that he has it. */
function carryOut(words, meta, page) {
	const [changes, notIn304] = words.split("\n\n").map((lines) => lines.split("\n"));
	const number = Number(changes.shift());
	const headers = new Headers(page.headers);
	for (const line of changes) {
		const colon = line.indexOf(":");
		if (colon < 0) headers.delete(line);
		else headers.set(line.slice(0, colon), line.slice(colon + 1));
	}
	const notModified = new Headers(headers);
	for (const name of notIn304) notModified.delete(name);
	let length = 0;
	for (const [name, value] of headers) length += 2 * (name.length + value.length);
	return { meta, number, headers, notModified, etag: headers.get("etag") ?? undefined, length };
}

function rememberPlan(key, plan) {
	characters += plan.length - (plans.get(key)?.length ?? 0);
	if (characters > MOST_CHARACTERS) {
		plans.clear();
		characters = plan.length;
	}
	return remember(plans, key, plan);
}

/** Tells whether a request may be answered by the short way: nothing about it asks for more than the page. */
function isPlain(request, ctx) {
	const { headers } = request;
	return (
		request.method === "GET" &&
		!headers.has("range") &&
		(!headers.has("if-modified-since") || headers.has("if-none-match")) &&
		!headers.has("upgrade") &&
		!headers.has("x-isr-bypass") &&
		!headers.has("x-isr-render") &&
		!headers.get("cookie")?.includes("__isr_bypass") &&
		!headers.get("cdn-loop")?.includes("cloudflare-isr") &&
		ctx.props?.isr === undefined
	);
}

/** The functions of `src/edge/hit.rs`, and L1. */
let rust, cache;

/** Answers a plain HIT from L1. Rust decides; everything else is left to the gateway. */
async function hit(request, env) {
	const { isrCacheName, isrKey, isrPlan, isrHolds, isrHas } = rust;
	const { url } = request;
	const key = keys.get(url) ?? remember(keys, url, isrKey(env, url) ?? null);
	if (key === null) return;
	cache ??= await caches.open(isrCacheName(env));
	const page = await cache.match(key);
	const meta = page?.headers.get("x-isr-meta");
	if (!meta) return;
	let plan = plans.get(key);
	if (plan?.meta !== meta || !isrHolds(plan.number, Date.now())) {
		const words = isrPlan(env, key, meta);
		if (words === undefined) return;
		plan = rememberPlan(key, carryOut(words, meta, page));
	}
	const ifNoneMatch = request.headers.get("if-none-match");
	return ifNoneMatch !== null && isrHas(ifNoneMatch, plan.etag)
		? new Response(null, { status: 304, headers: plan.notModified })
		: new Response(page.body, { headers: plan.headers });
}

export default class extends WorkerEntrypoint {
	async fetch(request) {
		if (rust && isPlain(request, this.ctx)) {
			try {
				const response = await hit(request, this.env);
				if (response) return response;
			} catch (error) {
				console.error("the short way failed:", error);
			}
		}
		const gateway = new Gateway(this.ctx, this.env);
		if (!rust) {
			const { isrCacheName, isrKey, isrPlan, isrHolds, isrHas } = gateway;
			rust = { isrCacheName, isrKey, isrPlan, isrHolds, isrHas };
		}
		return gateway.fetch(request);
	}

	async #rpc(method, argument, options) {
		return answer(await new Gateway(this.ctx, this.env).isrRpc(this.env, JSON.stringify({ method, argument, options })));
	}

	/** Invalidates all variants of a path. Resolves to a receipt once every coordinator concerned has been told. */
	revalidatePath(path, options) {
		return this.#rpc("revalidatePath", path, options);
	}

	/** Invalidates every page that carries a tag. Resolves to a receipt once every coordinator concerned has been told. */
	revalidateTag(tag, options) {
		return this.#rpc("revalidateTag", tag, options);
	}

	/** Invalidates what `{ path, tag, tags, prefix, route, everything }` name, as `mode` says. Resolves to the receipts. */
	invalidate(what) {
		return this.#rpc("invalidate", what);
	}

	/** Resolves to what has come of an invalidation, by the `seq` of its receipt. */
	invalidation(seq) {
		return this.#rpc("invalidation", seq);
	}

	/** Resolves to what carries a tag, in which state; `{ after, limit }` page through the list. */
	inspectTag(tag, options) {
		return this.#rpc("inspectTag", tag, options);
	}

	/** Resolves to what is known of all variants of a path. */
	inspectPath(path, options) {
		return this.#rpc("inspectPath", path, options);
	}

	/** Resolves to what is known of a coordinator, `<route>#<number>`, and of its pages. */
	inspectShard(name, options) {
		return this.#rpc("inspectShard", name, options);
	}
}

export class IsrCoordinator extends DurableObject {
	#object;

	constructor(ctx, env) {
		super(ctx, env);
		this.#object = new RustCoordinator(ctx, env);
	}

	fetch(request) {
		return this.#object.fetch(request);
	}

	alarm() {
		return this.#object.alarm();
	}

	revalidatePath(path, options) {
		return call(this.#object, "revalidatePath", path, options);
	}

	revalidateTag(tag, options) {
		return call(this.#object, "revalidateTag", tag, options);
	}

	invalidate(what) {
		return call(this.#object, "invalidate", what);
	}

	invalidation(seq) {
		return call(this.#object, "invalidation", seq);
	}

	inspectTag(tag, options) {
		return call(this.#object, "inspectTag", tag, options);
	}

	inspectPath(path, options) {
		return call(this.#object, "inspectPath", path, options);
	}

	inspectShard(name, options) {
		return call(this.#object, "inspectShard", name, options);
	}
}

export class IsrTagIndex extends DurableObject {
	#object;

	constructor(ctx, env) {
		super(ctx, env);
		this.#object = new RustTagIndex(ctx, env);
	}

	fetch(request) {
		return this.#object.fetch(request);
	}

	alarm() {
		return this.#object.alarm();
	}

	revalidatePath(path, options) {
		return call(this.#object, "revalidatePath", path, options);
	}

	revalidateTag(tag, options) {
		return call(this.#object, "revalidateTag", tag, options);
	}

	invalidate(what) {
		return call(this.#object, "invalidate", what);
	}

	invalidation(seq) {
		return call(this.#object, "invalidation", seq);
	}

	inspectTag(tag, options) {
		return call(this.#object, "inspectTag", tag, options);
	}

	inspectPath(path, options) {
		return call(this.#object, "inspectPath", path, options);
	}

	inspectShard(name, options) {
		return call(this.#object, "inspectShard", name, options);
	}
}
