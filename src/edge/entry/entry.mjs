// The module that wrangler loads: the Worker built from Rust, with its methods named for RPC. A method reaches a Durable
// Object by RPC only if the object's class extends `DurableObject`, which classes made by wasm-bindgen do not: so each
// stands in front of its Rust instance. Whatever stands on these prototypes can be called over a binding, and so
// nothing else does.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import Gateway, { IsrCoordinator as RustCoordinator, IsrTagIndex as RustTagIndex } from "../../../build/index.js";

/**
 * The methods that other Workers call, on the entrypoint and on both objects:
 *
 * - `revalidatePath(path, options)` invalidates all variants of a path, `revalidateTag(tag, options)` every page that
 *   carries a tag, `invalidate({ path, tag, tags, prefix, route, everything, mode, refresh })` what it names. They resolve to
 *   receipts once every coordinator concerned has been told.
 * - `invalidation(seq)` resolves to what has come of one, by the `seq` of its receipt.
 * - `inspectTag(tag, options)`, `inspectPath(path, options)` and `inspectShard(name, options)` resolve to what is known of
 *   pages; `{ after, limit }` page through the list.
 * - `lookup(request)` resolves to a page, or to a ticket for who is to render it; `store(ticket, response, settings)` brings
 *   it then.
 */
const METHODS = [
	"revalidatePath",
	"revalidateTag",
	"invalidate",
	"invalidation",
	"inspectTag",
	"inspectPath",
	"inspectShard",
	"lookup",
	"store",
];

/** Puts the methods on a prototype. */
function expose({ prototype }, call) {
	for (const method of METHODS) {
		const value = function (...args) {
			return call(this, method, args);
		};
		Object.defineProperty(prototype, method, { value, configurable: true, writable: true });
	}
}

/** An RPC call that was not carried out: `code` is for programs, `message` for people. */
class IsrError extends Error {
	constructor({ code, message }) {
		super(message);
		this.name = "IsrError";
		this.code = code;
	}
}

/** Returns what a call has given, or throws what is wrong. */
function checked(answer) {
	if (answer.error) throw new IsrError(answer.error);
	return answer;
}

function argument(isValid, message) {
	if (!isValid) throw new IsrError({ code: "invalid_argument", message });
}

/** Carries out a method of an entrypoint. */
async function callEntrypoint({ ctx, env }, method, [first, second, third]) {
	const gateway = new Gateway(ctx, env);
	if (method === "lookup") {
		const request = typeof first === "string" && URL.canParse(first) ? new Request(first) : first;
		argument(request instanceof Request, "lookup takes a Request, or the URL of a page");
		return checked(await gateway.isrLookup(env, ctx, request));
	}
	if (method === "store") {
		argument(typeof first === "string", "store takes the ticket that lookup has given");
		argument(second instanceof Response, "store takes the Response to be stored");
		argument(!second.bodyUsed, "the body of the Response has been read already");
		return checked(await gateway.isrStore(env, first, second, JSON.stringify(third ?? null)));
	}
	const call = JSON.stringify({ method, argument: first, options: second });
	return checked(JSON.parse(await gateway.isrRpc(env, call)));
}

/** Carries out a method of an object, which is written in Rust. */
async function callObject(object, { ctx }, method, args) {
	// A page passes through a cache of the colo: that is the entrypoint's, and it finds the owner of the page.
	if (method === "lookup" || method === "store") return ctx.exports.default[method](...args);
	const body = JSON.stringify({ method, argument: args[0], options: args[1] });
	const response = await object.fetch(new Request("https://object/v1/rpc", { method: "POST", body }));
	if (!response.ok) throw new IsrError({ code: "unavailable", message: "the object could not carry it out; try again" });
	return checked(JSON.parse(await response.text()));
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

/** The functions of `src/edge/entry/hit.rs`, once the long way has been gone, and L1. */
let rust, cache;

/** Answers a plain HIT from L1. Rust decides; everything else is left to the gateway. */
async function hit(request, env) {
	try {
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
	} catch (error) {
		console.error("the short way failed:", error);
	}
}

/** Answers a plain HIT, if it is one. Not `async` itself: a HIT is to wait for as few promises as can be. */
function shortWay({ ctx, env }, request) {
	if (!rust) {
		const { isrCacheName, isrKey, isrPlan, isrHolds, isrHas } = new Gateway(ctx, env);
		rust = { isrCacheName, isrKey, isrPlan, isrHolds, isrHas };
		return;
	}
	return isPlain(request, ctx) ? hit(request, env) : undefined;
}

/** The gateway: a Worker that is nothing but a cache in front of the site that is bound as `ORIGIN` or named by `origin`. */
class IsrGateway extends WorkerEntrypoint {
	async fetch(request) {
		return (await shortWay(this, request)) ?? new Gateway(this.ctx, this.env).fetch(request);
	}
}
expose(IsrGateway, callEntrypoint);
export default IsrGateway;

/** The events besides `fetch` that the handler of a Worker may take. */
const EVENTS = ["scheduled", "queue", "email", "tail", "tailStream", "trace", "test"];

/** Makes an entrypoint of a handler in the form of an object. */
function entrypointOf(handler) {
	class Own extends WorkerEntrypoint {
		fetch(request) {
			return handler.fetch(request, this.env, this.ctx);
		}
	}
	for (const event of EVENTS.filter((event) => typeof handler[event] === "function")) {
		const value = function (argument) {
			return handler[event](argument, this.env, this.ctx);
		};
		Object.defineProperty(Own.prototype, event, { value, configurable: true, writable: true });
	}
	return Own;
}

/**
 * Puts the cache in front of a Worker's own handler, for `export default`; the configuration says `origin = "self"`.
 *
 * Pages of routes come from the cache, and are rendered by the handler with a request that has nothing of a visitor in it.
 * Whatever else is asked for, the handler answers as before. All other events are its own, and so are RPC methods of a class, but for
 * names that are {@link METHODS} of the cache.
 * @param handler an object with `fetch(request, env, ctx)`, or a class that extends `WorkerEntrypoint`
 */
export function withIsr(handler) {
	const Own = typeof handler === "function" ? handler : entrypointOf(handler);
	class WithIsr extends Own {
		async fetch(request) {
			if (this.ctx.props?.isr === "render") return super.fetch(request);
			const own = { fetch: (passed) => super.fetch(passed) };
			const { ctx, env } = this;
			return (await shortWay(this, request)) ?? new Gateway(ctx, env).isrGateway(request, env, ctx, own);
		}
	}
	expose(WithIsr, callEntrypoint);
	return WithIsr;
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

	static {
		expose(this, (self, method, args) => callObject(self.#object, self, method, args));
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

	static {
		expose(this, (self, method, args) => callObject(self.#object, self, method, args));
	}
}
