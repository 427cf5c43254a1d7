import RustGateway, { type Plan } from "../../../build/index.js";
import { Memory } from "./memory.js";
import { isExcluded, isPlain } from "./plain.js";

/** What Rust declares once for both sides. */
export const constants = RustGateway.prototype.isrConstants();

/**
 * The most UTF-16 code units of remembered URLs with their keys, and of remembered plans with their headers. An isolate has 128 MB for
 * everything.
 */
const MAX_KEYS_LENGTH = 2_000_000;
const MAX_PLANS_LENGTH = 4_000_000;

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

/** A page key, or `null` for a URL that is left to the gateway. It depends only on the URL and the configuration. */
interface RememberedKey {
  of: Bindings;
  key: string | null;
  length: number;
}

/** Page keys by URL. */
const keys = new Memory<RememberedKey>(MAX_KEYS_LENGTH);

function rememberKey(of: Bindings, url: string, key: string | null): RememberedKey {
  const named = { of, key, length: key?.length ?? 0 };
  keys.set(url, named);
  return named;
}

/** A plan, and the stored page that it was made for. */
interface RememberedPlan extends Plan {
  of: Bindings;
  meta: string;
  etag: string | undefined;
  length: number;
}

/** Plans by page key. Rust is asked for each request whether a plan still holds. */
const plans = new Memory<RememberedPlan>(MAX_PLANS_LENGTH);

function rememberPlan(of: Bindings, key: string, meta: string, plan: Plan): RememberedPlan {
  let { length } = meta;
  // Both sets of headers are remembered.
  for (const [name, value] of plan.headers) length += 2 * (name.length + value.length);
  for (const { name, containing } of plan.excluded ?? []) length += name.length + containing.join().length;
  const remembered = { ...plan, of, meta, etag: plan.headers.get("etag") ?? undefined, length };
  plans.set(key, remembered);
  return remembered;
}

/** The functions of `hit.rs`. They are taken from the first gateway, which starts Wasm again after a panic. */
type Rust = Pick<RustGateway, "isrCacheName" | "isrKey" | "isrPlan" | "isrHolds" | "isrHas">;

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

/** Serves a fresh page from L1. Returns nothing if the gateway has to answer. Rust makes the decisions. */
async function serveHit({ isrCacheName, isrKey, isrPlan, isrHolds, isrHas }: Rust, request: Request, env: object): Promise<Response | undefined> {
  try {
    const of = bindingsOf(env);
    const { url } = request;
    let named = keys.get(url);
    if (named?.of !== of) named = rememberKey(of, url, isrKey(env, url) ?? null);
    const { key } = named;
    if (key === null) return undefined;
    // There are keys only while the configuration is valid, and then the cache has a name.
    of.cache ??= await patiently(caches.open(isrCacheName(env) as string));
    const page = of.cache && (await patiently(of.cache.match(key)));
    const meta = page?.headers.get(constants.metaHeader);
    if (!page || !meta) return undefined;
    let plan = plans.get(key);
    if (plan?.of !== of || plan.meta !== meta || !isrHolds(plan.number, Date.now())) {
      const made = isrPlan(env, key, meta, page.headers);
      if (made === undefined) return undefined;
      plan = rememberPlan(of, key, meta, made);
    }
    if (plan.excluded !== undefined && isExcluded(request.headers, plan.excluded)) return undefined;
    // The gateway knows which stored pages such a request accepts.
    if (plan.isStandard && constants.shortPath.excludedByStandard.some((name) => request.headers.has(name))) return undefined;
    const ifNoneMatch = request.headers.get("if-none-match");
    return ifNoneMatch !== null && isrHas(ifNoneMatch, plan.etag)
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
 * It is not `async`, so that a HIT waits for as few promises as possible.
 */
export function shortPath(request: Request, env: unknown, ctx: ExecutionContext): Promise<Response | undefined> | undefined {
  if (rust === undefined) {
    // The first request of an isolate takes the long path.
    const { isrCacheName, isrKey, isrPlan, isrHolds, isrHas } = new RustGateway(ctx, env);
    rust = { isrCacheName, isrKey, isrPlan, isrHolds, isrHas };
    return undefined;
  }
  return isPlain(request, ctx.props, constants.shortPath) ? serveHit(rust, request, env as object) : undefined;
}
