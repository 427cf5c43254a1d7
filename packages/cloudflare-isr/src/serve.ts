import type { IsrReason } from "./reason.js";
import type { IsrService, Lookup, Stored } from "./rpc.js";
import { applyScope, type Scope } from "./scope.js";

/** What an adapter needs of the execution context. */
export interface IsrContext {
  readonly props?: unknown;
  /** The Worker's own entrypoints. */
  readonly exports?: unknown;
  waitUntil(promise: Promise<unknown>): void;
}

/** A request on its way through an adapter. */
export interface Served {
  request: Request;
  /** The bindings of the Worker; `undefined` where there are none, as in a framework's own development server. */
  env: unknown;
  /** The execution context; `undefined` where there is none. */
  ctx: IsrContext | undefined;
  /** The binding to the cache's entrypoint. Default: `ISR`. */
  binding?: string | undefined;
  /** What the pages say, once they are rendered. */
  scope: Scope;
  /** Has the framework answer the request. */
  render: () => Promise<Response> | Response;
}

/** Tells whether a request is the cache's own, to render a page: it comes over a binding with these `props`, which no client can set. */
export function isOwnRender(ctx: { readonly props?: unknown } | undefined): boolean {
  const props = ctx?.props;
  return typeof props === "object" && props !== null && "isr" in props && props.isr === "render";
}

/** Returns the cache's entrypoint, if it is bound. A table `ISR` of settings, which the gateway has, is none. */
function serviceOf(env: unknown, binding: string): IsrService | undefined {
  const service = (env as Record<string, unknown> | undefined)?.[binding] as Partial<IsrService> | undefined;
  return typeof service?.lookup === "function" ? (service as IsrService) : undefined;
}

/** The loopback binding of an entrypoint, `ctx.exports.default`. */
type Loopback = (options: { props: { isr: "render"; once: string } }) => { fetch(request: Request): Promise<Response> };

/** Returns a way to have this Worker render a page as for nobody in particular. */
function rendererOf(ctx: IsrContext): ((request: Request) => Promise<Response>) | undefined {
  const exports = ctx.exports as { default?: Loopback } | undefined;
  if (typeof exports?.default !== "function") return undefined;
  // A cache in front of this Worker keeps answers by path, query and props: one that it keeps is not to be given for a later render.
  const once = crypto.randomUUID();
  return (request) => (exports as { default: Loopback }).default({ props: { isr: "render", once } }).fetch(request);
}

/** How the cache calls itself in the requests that it renders pages by. */
const RENDERER = "cloudflare-isr/";

/**
 * Refuses a render that has come without its props. Answered from the cache, an old page would be stored as a fresh one. Static assets
 * of a Worker stand in front of its default entrypoint, and lose them.
 */
function unrecognised(): Response {
  const message = 'cloudflare-isr: a render has come without the props { isr: "render" }: bind ORIGIN with them, and with static assets to an entrypoint of its own';
  console.error(message);
  return new Response(`${message}\n`, { status: 508, headers: { "cache-control": "private, no-store" } });
}

/** Returns a response whose headers can be changed. */
function mutable(response: Response): Response {
  return new Response(response.body, response);
}

/** Answers by the framework what is not cached, and says so. */
async function uncached(render: Served["render"], status: "SKIP" | "BYPASS"): Promise<Response> {
  const response = mutable(await render());
  response.headers.set("x-isr-status", status);
  // Nobody may keep what a visitor with a draft token sees.
  if (status === "BYPASS") response.headers.set("cache-control", "private, no-store");
  return response;
}

/** What of a page's headers is for caches, or for nobody but who was answered: the render, which is no visitor. */
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

/** Tells whether an answer is a failure to the cache. */
function isFailure({ status }: Response): boolean {
  return status >= 500 || status === 429;
}

/** Makes a visitor's answer of what has just been rendered as for nobody in particular. */
function fresh(page: Response): Response {
  const response = mutable(page);
  for (const name of NOT_A_VISITORS) response.headers.delete(name);
  response.headers.set("x-isr-status", isFailure(page) ? "SKIP" : "MISS");
  // A browser that asks each time sees an invalidation.
  response.headers.set("cache-control", isFailure(page) ? "no-store" : "public, max-age=0, must-revalidate");
  return response;
}

/** Tells whether a page is one for everybody, as far as is plain from here. Where it is not, the cache is asked. */
function isPlainlyForAll({ status, headers }: Response, request: Request): boolean {
  const said = ["cache-control", "cdn-cache-control", "cloudflare-cdn-cache-control"].map((name) => headers.get(name) ?? "");
  const revalidate = headers.get("x-isr-revalidate") ?? "false";
  return (
    status === 200 &&
    (revalidate === "false" || Number(revalidate) > 0) &&
    !/private|no-store|no-cache|=\s*"?0/i.test(said.join()) &&
    !headers.has("vary") &&
    !headers.has("expires") &&
    !request.headers.has("authorization")
  );
}

/** A page that was rendered under a lease, and what becomes of it: `undefined` if that can't be learnt. */
interface Rendered {
  page: Response;
  stored: Promise<Stored | undefined>;
}

/** Renders a page as for nobody in particular, and has the cache read it while a visitor does. */
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
  return { page, stored };
}

/** Returns what stands in for a page that could not be rendered, once the cache knows of it; `undefined` if there is nothing. */
async function lastGoodCopy(service: IsrService, lookup: () => Promise<Lookup>, { stored }: Rendered): Promise<Response | undefined> {
  await stored;
  const again = await lookup().catch(() => undefined);
  // An invalidation has come between, and there is a lease once more: one attempt is enough for one visitor.
  if (again?.ticket !== undefined) await service.store(again.ticket, new Response(null, { status: 500 })).catch(() => {});
  return again?.status === "HIT" || again?.status === "STALE" ? again.response : undefined;
}

/** Why a page that is for everybody is not stored all the same. */
const FOR_ALL: readonly IsrReason[] = ["invalidated", "site-error", "unpublished"];

/** Tells whether a visitor may get a page that was rendered as for nobody in particular: what is not stored has to be his own. */
async function isForAll({ page, stored }: Rendered, request: Request): Promise<boolean> {
  if (isFailure(page) || isPlainlyForAll(page, request)) return true;
  const outcome = await stored;
  return outcome !== undefined && (outcome.stored || (outcome.reason !== null && FOR_ALL.includes(outcome.reason)));
}

/** Has the framework answer, and writes what the pages have said into the headers. */
async function answer(render: Served["render"], scope: Scope): Promise<Response> {
  const response = await render();
  if (scope.resolve() === null) return response;
  const copy = mutable(response);
  applyScope(copy.headers, scope);
  return copy;
}

/**
 * Answers a request of a site: from the cache if its entrypoint is bound and no gateway stands in front, else by the framework, with
 * what the pages have said in the response's headers, where a gateway in front reads it.
 *
 * A page that is to be stored is rendered by a request of its own, which this Worker sends to itself: in the visitor's there may be
 * cookies. That takes `ctx.exports`, which a Worker has from the compatibility date 2025-11-17 on. If it turns out that the page is
 * not stored, the visitor's own request is rendered as well.
 */
export async function serve({ request, env, ctx, binding = "ISR", scope, render }: Served): Promise<Response> {
  const service = serviceOf(env, binding);
  if (service === undefined || ctx === undefined || isOwnRender(ctx)) return answer(render, scope);
  const renderPage = rendererOf(ctx);
  if (renderPage === undefined) {
    console.warn(`cloudflare-isr: nothing is cached: the Worker has no ctx.exports, which compatibility dates from 2025-11-17 on give`);
    return render();
  }
  if (request.method !== "GET" && request.method !== "HEAD") return render();

  const { url, method, headers } = request;
  if (headers.get("user-agent")?.startsWith(RENDERER)) return unrecognised();
  // What the platform knows of the visitor goes along: a page may be by country.
  const { cf } = request as { cf?: unknown };
  const lookup = () => service.lookup(new Request(url, { method, headers, cf } as RequestInit));
  const looked = lookup().catch((error: unknown) => {
    // Availability wins: the site can answer without the cache.
    console.error("cloudflare-isr: no answer of the cache:", error);
    return { status: "PASS", reason: null, response: undefined, ticket: undefined } as const;
  });
  const rendering = looked.then((found) => (found.ticket === undefined ? undefined : renderUnderLease(service, renderPage, found)));
  // A visitor who leaves ends the request. The lease is to be used all the same: others wait for the page.
  ctx.waitUntil(rendering.then((rendered) => rendered?.stored));

  const [found, rendered] = [await looked, await rendering];
  if (rendered !== undefined) {
    const standIn = isFailure(rendered.page) ? await lastGoodCopy(service, lookup, rendered) : undefined;
    if (standIn !== undefined) return standIn;
    if (await isForAll(rendered, request)) return fresh(rendered.page);
    // Not waited for: it is over when the cache, too, has let go of the body.
    rendered.page.body?.cancel().catch(() => {});
    return uncached(render, "SKIP");
  }
  if (found.status === "SKIP" || found.status === "BYPASS") return uncached(render, found.status);
  return found.response ?? render();
}
