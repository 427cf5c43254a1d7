import RustGateway, { type Plan } from "../../../build/index.js";
import { isPlain } from "./plain.js";

/** What Rust declares once for both sides. */
export const constants = RustGateway.prototype.isrConstants();

/** The most URLs and the most pages that are remembered. */
const MAX_REMEMBERED = 1000;

/** The most UTF-16 code units of headers in remembered plans. An isolate has 128 MB for everything. */
const MAX_HEADER_LENGTH = 4_000_000;

/** Page keys by URL; `null` for a URL that is left to the gateway. They depend only on the configuration. */
const keys = new Map<string, string | null>();

/** A plan, and the stored page that it was made for. */
interface RememberedPlan extends Plan {
  meta: string;
  etag: string | undefined;
  length: number;
}

/** Plans by page key. Rust is asked for each request whether a plan still holds. */
const plans = new Map<string, RememberedPlan>();
let headerLength = 0;

function remember<Value>(map: Map<string, Value>, key: string, value: Value): Value {
  if (map.size >= MAX_REMEMBERED && !map.has(key)) map.clear();
  map.set(key, value);
  return value;
}

function rememberPlan(key: string, meta: string, plan: Plan): RememberedPlan {
  let length = 0;
  // Both sets of headers are remembered.
  for (const [name, value] of plan.headers) length += 2 * (name.length + value.length);
  headerLength += length - (plans.get(key)?.length ?? 0);
  if (headerLength > MAX_HEADER_LENGTH) {
    plans.clear();
    headerLength = length;
  }
  return remember(plans, key, { ...plan, meta, etag: plan.headers.get("etag") ?? undefined, length });
}

/** The functions of `hit.rs`. They are taken from the first gateway, which starts Wasm again after a panic. */
type Rust = Pick<RustGateway, "isrCacheName" | "isrKey" | "isrPlan" | "isrHolds" | "isrHas">;

let rust: Rust | undefined;

/** The in-zone cache: L1. */
let cache: Cache | undefined;

/** Serves a fresh page from L1. Returns nothing if the gateway has to answer. Rust makes the decisions. */
async function serveHit({ isrCacheName, isrKey, isrPlan, isrHolds, isrHas }: Rust, request: Request, env: unknown): Promise<Response | undefined> {
  try {
    const { url } = request;
    const key = keys.get(url) ?? remember(keys, url, isrKey(env, url) ?? null);
    if (key === null) return undefined;
    // There are keys only while the configuration is valid, and then the cache has a name.
    cache ??= await caches.open(isrCacheName(env) as string);
    const page = await cache.match(key);
    const meta = page?.headers.get(constants.metaHeader);
    if (!page || !meta) return undefined;
    let plan = plans.get(key);
    if (plan?.meta !== meta || !isrHolds(plan.number, Date.now())) {
      const made = isrPlan(env, key, meta, page.headers);
      if (made === undefined) return undefined;
      plan = rememberPlan(key, meta, made);
    }
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
  return isPlain(request, ctx.props, constants.shortPath) ? serveHit(rust, request, env) : undefined;
}
