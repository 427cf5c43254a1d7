import RustGateway, { type Plan } from "../../../build/index.js";
import { Memory } from "./memory.js";
import { type VariantSources, isExcluded, isPlain, signatureOf } from "./plain.js";

/** What Rust declares once for both sides. */
export const constants = RustGateway.prototype.isrConstants();

/**
 * The most UTF-16 code units of remembered URLs with their keys, and of remembered plans with their headers. An isolate has 128 MB for
 * everything.
 */
const MAX_KEYS_LENGTH = 2_000_000;
const MAX_PLANS_LENGTH = 4_000_000;

/** The longest text by which a variant is remembered. With more, Rust is asked for each request. */
const MAX_SIGNATURE_LENGTH = 1000;

/** How long a page is served from L1 before Rust is asked again whether it is in memory, in milliseconds. */
const LOOK_EVERY = 1000;

/**
 * What belongs to one `env`. The platform may keep an isolate when only bindings change. It then hands out another `env` object, and
 * nothing that was derived from the first one holds.
 */
class Bindings {
  /** The in-zone cache: L1. */
  cache: Cache | undefined;
}

const known = new WeakMap<object, Bindings>();

/** The last `env`, which is nearly always the next one as well. */
let lastEnv: object | undefined;
let last = new Bindings();

function bindingsOf(env: object): Bindings {
  if (env === lastEnv) return last;
  let bindings = known.get(env);
  if (bindings === undefined) known.set(env, (bindings = new Bindings()));
  lastEnv = env;
  return (last = bindings);
}

/** The page of a URL. It depends only on the URL, on the configuration and on what selects a variant. */
interface RememberedPage {
  of: Bindings;
  /** Its key; `null` if the gateway has to answer, or if the request selects a variant. */
  key: string | null;
  /** Its URL in L1. */
  cacheUrl: string;
  /** What its variant depends on. */
  varies: VariantSources | undefined;
  length: number;
}

/** Pages by URL, and those with variants by URL and by what selects the variant. */
const pages = new Memory<RememberedPage>(MAX_KEYS_LENGTH);

function rememberPage(of: Bindings, name: string, key: string | null, cacheUrl = key ?? "", varies?: VariantSources): RememberedPage {
  const page = { of, key, cacheUrl, varies, length: (key?.length ?? 0) + cacheUrl.length };
  pages.set(name, page);
  return page;
}

/** Returns the page that a request is for. */
function pageOf({ isrKey, isrVariant }: Rust, of: Bindings, env: object, request: Request): RememberedPage {
  const { url } = request;
  let page = pages.get(url);
  if (page?.of !== of) {
    const named = isrKey(env, url);
    page = typeof named === "object" ? rememberPage(of, url, null, "", named) : rememberPage(of, url, named ?? null);
  }
  if (page.varies === undefined) return page;
  const country = page.varies.country ? (request as { cf?: { country?: string } }).cf?.country : undefined;
  const name = `${url}\n${signatureOf(request.headers, country, page.varies)}`;
  const isShort = name.length <= url.length + MAX_SIGNATURE_LENGTH;
  const variant = isShort ? pages.get(name) : undefined;
  if (variant?.of === of) return variant;
  const [key = null, cacheUrl = ""] = isrVariant(env, url, request.headers, country) ?? [];
  return isShort ? rememberPage(of, name, key, cacheUrl) : { of, key, cacheUrl, varies: undefined, length: 0 };
}

/** A plan, and the stored page that it was made for. */
interface RememberedPlan extends Omit<Plan, "body" | "admits"> {
  of: Bindings;
  /** The metadata of the page in L1; `null` for a page in memory. */
  meta: string | null;
  /** Until when a page of L1 is not looked for in memory. */
  looksAt: number;
  etag: string | undefined;
  length: number;
}

/** Plans by page key. Rust is asked for each request whether a plan still holds. */
const plans = new Memory<RememberedPlan>(MAX_PLANS_LENGTH);

function rememberPlan(of: Bindings, key: string, meta: string | null, { number, isStandard, headers, notModified, excluded }: Plan): RememberedPlan {
  let length = meta?.length ?? 0;
  // Both sets of headers are remembered.
  for (const [name, value] of headers) length += 2 * (name.length + value.length);
  for (const { name, containing } of excluded ?? []) length += name.length + containing.join().length;
  const looksAt = Date.now() + LOOK_EVERY;
  const plan = { number, isStandard, headers, notModified, excluded, of, meta, looksAt, etag: headers.get("etag") ?? undefined, length };
  plans.set(key, plan);
  return plan;
}

/** The functions of `hit.rs`. They are taken from the first gateway, which starts Wasm again after a panic. */
type Rust = Pick<
  RustGateway,
  "isrCacheName" | "isrKey" | "isrVariant" | "isrRemembered" | "isrRecall" | "isrPlan" | "isrHolds" | "isrCollect" | "isrHas" | "isrCount"
>;

let rust: Rust | undefined;

/** Awaits a promise of L1. After a while the result is `undefined`, as if L1 had nothing: the gateway looks again. */
async function patiently<Value>(answer: Promise<Value>): Promise<Value | undefined> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), constants.l1Patience);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Returns whether a plan is for a request with these headers. The gateway knows which stored pages the others accept. */
function isFor({ excluded, isStandard }: RememberedPlan, headers: Headers): boolean {
  if (excluded !== undefined && isExcluded(headers, excluded)) return false;
  return !isStandard || !constants.shortPath.excludedByStandard.some((name) => headers.has(name));
}

/** Returns whether the client has the page already. */
function isNotModified({ isrHas }: Rust, { etag }: RememberedPlan, headers: Headers): boolean {
  const ifNoneMatch = headers.get("if-none-match");
  return ifNoneMatch !== null && (ifNoneMatch === etag || isrHas(ifNoneMatch, etag));
}

/** Serves a fresh page from memory. Returns `undefined` if it is not there, and `null` if the gateway has to answer. */
function serveRemembered(rust: Rust, request: Request, env: object, of: Bindings, key: string): Response | null | undefined {
  let plan = plans.get(key);
  if (plan?.of !== of) plan = undefined;
  if (plan !== undefined && plan.meta !== null) {
    const wait = plan.looksAt - Date.now();
    if (wait > 0 && wait <= LOOK_EVERY) return undefined;
  }
  let body: ArrayBuffer | undefined;
  if (plan?.meta === null) {
    // Rust counts a HIT when it returns the body.
    if (!isFor(plan, request.headers)) return null;
    body = rust.isrRecall(plan.number, Date.now());
  }
  if (plan === undefined || body === undefined) {
    const made = rust.isrRemembered(env, key);
    if (!made) return made;
    plan = rememberPlan(of, key, null, made);
    body = made.body;
    if (!isFor(plan, request.headers)) return null;
    rust.isrCount(plan.number);
  }
  return isNotModified(rust, plan, request.headers)
    ? new Response(null, { status: 304, headers: plan.notModified })
    : new Response(body, { headers: plan.headers });
}

/** Puts a page into memory, behind the response. */
async function admit({ isrCollect }: Rust, env: object, key: string, meta: string, page: Response): Promise<void> {
  if (!(await isrCollect(env, meta, page))) return;
  const plan = plans.get(key);
  if (plan !== undefined) plan.looksAt = 0;
}

/** Serves a fresh page from L1. Returns nothing if the gateway has to answer. Rust makes the decisions. */
async function serveHit(
  rust: Rust,
  request: Request,
  env: object,
  ctx: ExecutionContext,
  of: Bindings,
  key: string,
  cacheUrl: string,
): Promise<Response | undefined> {
  try {
    // There are keys only while the configuration is valid, and then the cache has a name.
    of.cache ??= await patiently(caches.open(rust.isrCacheName(env) as string));
    const page = of.cache && (await patiently(of.cache.match(cacheUrl)));
    const meta = page?.headers.get(constants.metaHeader);
    if (!page || !meta) return undefined;
    let plan = plans.get(key);
    let held = 0;
    if (plan?.of === of && plan.meta === meta) {
      if (!isFor(plan, request.headers)) return undefined;
      // Rust counts a HIT if the plan holds.
      held = rust.isrHolds(plan.number, Date.now());
    }
    let admits = held === 2;
    if (plan === undefined || held === 0) {
      const made = rust.isrPlan(env, key, meta, page.headers);
      if (made === undefined) return undefined;
      plan = rememberPlan(of, key, meta, made);
      admits = made.admits;
      if (!isFor(plan, request.headers)) return undefined;
      rust.isrCount(plan.number);
    }
    if (admits) ctx.waitUntil(admit(rust, env, key, meta, page.clone()));
    return isNotModified(rust, plan, request.headers)
      ? new Response(null, { status: 304, headers: plan.notModified })
      : new Response(page.body, { headers: plan.headers });
  } catch (error) {
    console.error("the short path failed:", error);
    return undefined;
  }
}

/**
 * Serves a plain HIT without the gateway. Returns nothing if the gateway has to answer.
 *
 * It is not `async`, so that a HIT waits for as few promises as possible: one from memory waits for none.
 */
export function shortPath(request: Request, env: unknown, ctx: ExecutionContext): Response | Promise<Response | undefined> | undefined {
  if (rust === undefined) {
    // The first request of an isolate takes the long path.
    const { isrCacheName, isrKey, isrVariant, isrRemembered, isrRecall, isrPlan, isrHolds, isrCollect, isrHas, isrCount } = new RustGateway(ctx, env);
    rust = { isrCacheName, isrKey, isrVariant, isrRemembered, isrRecall, isrPlan, isrHolds, isrCollect, isrHas, isrCount };
    return undefined;
  }
  if (!isPlain(request, ctx.props, constants.shortPath)) return undefined;
  try {
    const of = bindingsOf(env as object);
    const { key, cacheUrl } = pageOf(rust, of, env as object, request);
    if (key === null) return undefined;
    const remembered = serveRemembered(rust, request, env as object, of, key);
    if (remembered !== undefined) return remembered ?? undefined;
    return serveHit(rust, request, env as object, ctx, of, key, cacheUrl);
  } catch (error) {
    console.error("the short path failed:", error);
    return undefined;
  }
}
