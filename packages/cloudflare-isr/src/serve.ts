import type { IsrReason } from "./reason.js";
import type { IsrService, Lookup, Stored } from "./rpc.js";
import { applyPagePolicy, type PagePolicy } from "./page_policy.js";
import { isRender } from "./render.js";

/** The part of the execution context that an adapter uses. */
export interface IsrContext {
  readonly props?: unknown;
  /** The Worker's own entrypoints. */
  readonly exports?: unknown;
  waitUntil(promise: Promise<unknown>): void;
}

/** A request on its way through an adapter. */
export interface ServeOptions {
  request: Request;
  /** The bindings of the Worker; `undefined` if there are none, as in the development server of a framework. */
  env: unknown;
  /** The execution context; `undefined` if there is none. */
  ctx: IsrContext | undefined;
  /** The binding to the cache's entrypoint. Default: `ISR`. */
  binding?: string | undefined;
  /** The page policy, which has the values of the pages after the render. */
  policy: PagePolicy;
  /** Answers the request with the framework. */
  render: () => Promise<Response> | Response;
}

/**
 * Returns whether a request is a render of the cache: it arrives over a binding with these `props`, which no client can set. The gateway
 * must use this binding for renders alone: `ORIGIN_RENDER` besides `ORIGIN`. `isRender` needs no such binding.
 */
export function isOwnRender(ctx: { readonly props?: unknown } | undefined): boolean {
  const props = ctx?.props;
  return typeof props === "object" && props !== null && "isr" in props && props.isr === "render";
}

/** Headers that say which visitor asks. */
const IDENTIFYING = [
  "authorization",
  "cf-access-client-id",
  "cf-access-client-secret",
  "cf-access-jwt-assertion",
  "cf-access-token",
  "cookie",
  "proxy-authorization",
  "x-api-key",
  "x-auth-token",
];

/** Returns whether a request is a render of the cache, by its signature. */
async function isSignedRender(request: Request, env: unknown): Promise<boolean> {
  if (!request.headers.has("x-isr-render")) return false;
  const { ISR_RENDER_SECRET: secret } = (env ?? {}) as { ISR_RENDER_SECRET?: unknown };
  return typeof secret === "string" && isRender(request, secret);
}

/**
 * Returns whether the response to a request may be for all visitors: the cache renders a page, or nothing in the request says which
 * visitor asks. A framework's own prohibition to store a response must stay on all others. A render has cookies if its page varies by
 * them, so it must be recognised.
 */
export async function mayBeForAll({ request, env, ctx }: Pick<ServeOptions, "request" | "env" | "ctx">): Promise<boolean> {
  return isOwnRender(ctx) || !IDENTIFYING.some((name) => request.headers.has(name)) || isSignedRender(request, env);
}

/** Returns the cache's entrypoint, if it is bound. The table `ISR` of settings, which a gateway has, is not an entrypoint. */
function serviceOf(env: unknown, binding: string): IsrService | undefined {
  const service = (env as Record<string, unknown> | undefined)?.[binding] as Partial<IsrService> | undefined;
  return typeof service?.lookup === "function" ? (service as IsrService) : undefined;
}

/** The loopback binding of an entrypoint, `ctx.exports.default`. */
type Loopback = (options: { props: { isr: "render"; once: string } }) => { fetch(request: Request): Promise<Response> };

/** Returns a function with which this Worker renders a page for all visitors. */
function rendererOf(ctx: IsrContext): ((request: Request) => Promise<Response>) | undefined {
  const exports = ctx.exports as { default?: Loopback } | undefined;
  if (typeof exports?.default !== "function") return undefined;
  // A downstream cache of this Worker has path, query and props in its key. It must not answer a later render with a stored response.
  const once = crypto.randomUUID();
  return (request) => (exports as { default: Loopback }).default({ props: { isr: "render", once } }).fetch(request);
}

/** The `User-Agent` of the cache's renders. */
const RENDERER = "cloudflare-isr/";

/**
 * Refuses a render that has lost its props. If the cache answered it, an old page would be stored as a fresh one. The static assets of a
 * Worker are in front of its default entrypoint, and lose the props.
 */
function unrecognised(): Response {
  const message = 'cloudflare-isr: a render has come without the props { isr: "render" }: bind this site to the cache as ORIGIN_RENDER with them, and with static assets to an entrypoint of its own';
  console.error(message);
  return new Response(`${message}\n`, { status: 508, headers: { "cache-control": "private, no-store" } });
}

/** Returns a response whose headers can be changed. */
function mutable(response: Response): Response {
  return new Response(response.body, response);
}

/** Answers a request that is not cached with the framework, and marks the response. */
async function uncached(render: ServeOptions["render"], status: "SKIP" | "BYPASS"): Promise<Response> {
  const response = mutable(await render());
  response.headers.set("x-isr-status", status);
  // Nobody may keep the response to a visitor with a draft token.
  if (status === "BYPASS") response.headers.set("cache-control", "private, no-store");
  return response;
}

/** Headers of a page that are for caches, or for the render alone, and must not reach a visitor. */
const NOT_A_VISITORS = [
  "authentication-info",
  "cache-tag",
  "cdn-cache-control",
  "cloudflare-cdn-cache-control",
  "set-cookie",
  "surrogate-control",
  "www-authenticate",
  "x-isr-revalidate",
];

/** Returns whether the cache regards a response as a failure. */
function isFailure({ status }: Response): boolean {
  return status >= 500 || status === 429;
}

/** Returns the visitor's response for a page that was rendered for all visitors. */
function fresh(page: Response): Response {
  const response = mutable(page);
  for (const name of NOT_A_VISITORS) response.headers.delete(name);
  response.headers.set("x-isr-status", isFailure(page) ? "SKIP" : "MISS");
  // A browser must ask each time, so that it sees an invalidation.
  if (!hasOwnLifetime(page)) response.headers.set("cache-control", isFailure(page) ? "no-store" : "public, max-age=0, must-revalidate");
  return response;
}

/** Returns whether a response is a file, and states how long browsers may keep it: `stated` in `src/semantics/browser.rs`. */
function hasOwnLifetime({ status, headers }: Response): boolean {
  const type = (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const control = (headers.get("cache-control") ?? "").toLowerCase();
  const isFile = (status === 200 || status === 203) && !["", "text/html", "application/xhtml+xml"].includes(type);
  return isFile && /(?:^|[,\s])max-age=0*[1-9]\d*\s*(?:,|$)/.test(control) && !/no-store|no-cache/.test(control);
}

/**
 * Returns whether a page is plainly one for everybody. Where it is not, the cache is asked, which knows more
 * (`src/semantics/storable.rs`). `tests/vectors/storable.json` compares the two.
 */
export function isPlainlyForAll({ status, headers }: Response, request: Request): boolean {
  const said = ["cache-control", "cdn-cache-control", "cloudflare-cdn-cache-control"].map((name) => headers.get(name) ?? "");
  const revalidate = headers.get("x-isr-revalidate") ?? "false";
  return (
    status === 200 &&
    (revalidate === "false" || Number(revalidate) > 0) &&
    !/private|no-store|no-cache|=\s*"?0/i.test(said.join()) &&
    !headers.has("vary") &&
    (!headers.has("set-cookie") || headers.has("x-isr-revalidate")) &&
    !headers.has("clear-site-data") &&
    !/^\s*text\/event-stream/i.test(headers.get("content-type") ?? "") &&
    !headers.has("expires") &&
    !request.headers.has("authorization")
  );
}

/** Names in `Vary` that are about the cache's own requests: the key has host and scheme, and pages have no content coding. */
const STATED = ["accept-encoding", "forwarded", "host", "x-forwarded-host", "x-forwarded-proto"];

/**
 * Returns whether a page is not for a visitor because of its `Vary`: the visitor's request has a header that the render did not have.
 */
export function isForOthers({ headers }: Pick<Response, "headers">, visitor: Headers, render: Headers): boolean {
  const names = (headers.get("vary") ?? "").toLowerCase().split(",").map((name) => name.trim()).filter((name) => /^[!#$%&'+.^_`|~0-9a-z-]+$/.test(name));
  return names.some((name) => !STATED.includes(name) && !render.has(name) && visitor.has(name));
}

/** A page that was rendered under a lease, and the result of `store`: `undefined` if it is unknown. */
interface Rendered {
  page: Response;
  stored: Promise<Stored | undefined>;
  /** The headers of the render. */
  sent: Headers;
}

/** Renders a page for all visitors. The cache reads it at the same time as the visitor. */
async function renderUnderLease(
  service: IsrService,
  renderPage: (request: Request) => Promise<Response>,
  { ticket, request }: { ticket: string; request: Request },
): Promise<Rendered> {
  const page = await renderPage(request).catch((error: unknown) => {
    console.error("cloudflare-isr: a page could not be rendered:", error);
    return new Response(null, { status: 500 });
  });
  const stored = service.store(ticket, page.clone()).catch((error: unknown) => {
    console.error("cloudflare-isr: a page was not stored:", error);
    return undefined;
  });
  return { page, stored, sent: request.headers };
}

/** Returns the fallback for a page that could not be rendered, after the cache knows about it; `undefined` if there is none. */
async function lastGoodCopy(service: IsrService, lookup: () => Promise<Lookup>, { stored }: Rendered): Promise<Response | undefined> {
  await stored;
  const again = await lookup().catch(() => undefined);
  // An invalidation has arrived meanwhile, and there is a new lease. One attempt is enough for one visitor.
  if (again?.ticket !== undefined) await service.store(again.ticket, new Response(null, { status: 500 })).catch(() => {});
  return again?.status === "HIT" || again?.status === "STALE" ? again.response : undefined;
}

/** The reasons for which a page that every visitor may see is not stored. */
const FOR_ALL: readonly IsrReason[] = ["invalidated", "site-error", "unpublished"];

/**
 * Returns whether the visitor may receive a page that was rendered for all visitors. A page that is not stored must be the visitor's own, and
 * so must one that varies by a header of the visitor.
 */
async function isForAll({ page, stored, sent }: Rendered, request: Request): Promise<boolean> {
  if (isFailure(page)) return true;
  if (isForOthers(page, request.headers, sent)) return false;
  if (isPlainlyForAll(page, request)) return true;
  const outcome = await stored;
  return outcome !== undefined && (outcome.stored || (outcome.reason !== null && FOR_ALL.includes(outcome.reason)));
}

/** Answers with the framework, and writes the values of the pages into the headers. */
async function answer(render: ServeOptions["render"], policy: PagePolicy): Promise<Response> {
  const response = await render();
  if (policy.resolve() === null) return response;
  const copy = mutable(response);
  applyPagePolicy(copy.headers, policy);
  return copy;
}

/**
 * Answers a request of a site. If the cache's entrypoint is bound and no gateway is in front, the cache answers. Otherwise the framework
 * answers, with the values of the pages in the response headers, where a gateway reads them.
 *
 * A page that is to be stored is rendered with a separate request, which this Worker sends to itself, because the visitor's request may
 * contain cookies. This needs `ctx.exports`, which exists from the compatibility date 2025-11-17 on. If the page turns out not to be
 * storable, the visitor's own request is rendered as well.
 */
export async function serve({ request, env, ctx, binding = "ISR", policy, render }: ServeOptions): Promise<Response> {
  const service = serviceOf(env, binding);
  if (service === undefined || ctx === undefined || isOwnRender(ctx)) return answer(render, policy);
  if (request.headers.has("x-isr-render") && (await isSignedRender(request, env))) return answer(render, policy);
  const renderPage = rendererOf(ctx);
  if (renderPage === undefined) {
    console.warn(`cloudflare-isr: nothing is cached: the Worker has no ctx.exports, which compatibility dates from 2025-11-17 on give`);
    return render();
  }
  if (request.method !== "GET" && request.method !== "HEAD") return render();

  const { url, method, headers } = request;
  if (headers.get("user-agent")?.startsWith(RENDERER)) return unrecognised();
  // The platform's information about the visitor is passed on: a page may vary by country.
  const { cf } = request as { cf?: unknown };
  const lookup = () => service.lookup(new Request(url, { method, headers, cf } as RequestInit));
  const looked = lookup().catch((error: unknown) => {
    // Availability has priority: the site can answer without the cache.
    console.error("cloudflare-isr: no answer of the cache:", error);
    return { status: "PASS", reason: null, response: undefined, ticket: undefined } as const;
  });
  const rendering = looked.then((found) => (found.ticket === undefined ? undefined : renderUnderLease(service, renderPage, found)));
  // A visitor that leaves ends the request. The lease must still be used, because other requests wait for the page.
  ctx.waitUntil(rendering.then((rendered) => rendered?.stored));

  const [found, rendered] = [await looked, await rendering];
  if (rendered !== undefined) {
    const standIn = isFailure(rendered.page) ? await lastGoodCopy(service, lookup, rendered) : undefined;
    if (standIn !== undefined) return standIn;
    if (await isForAll(rendered, request)) return fresh(rendered.page);
    // This is not awaited: it ends only when the cache has also released the body.
    rendered.page.body?.cancel().catch(() => {});
    return uncached(render, "SKIP");
  }
  if (found.status === "SKIP" || found.status === "BYPASS") return uncached(render, found.status);
  return found.response ?? render();
}
