import type { IsrService } from "./rpc.js";
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
type Loopback = (options: { props: { isr: "render" } }) => { fetch(request: Request): Promise<Response> };

/** Returns a way to have this Worker render a page as for nobody in particular. */
function rendererOf(ctx: IsrContext): ((request: Request) => Promise<Response>) | undefined {
  const exports = ctx.exports as { default?: Loopback } | undefined;
  if (typeof exports?.default !== "function") return undefined;
  return (request) => (exports as { default: Loopback }).default({ props: { isr: "render" } }).fetch(request);
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

/** Makes a visitor's answer of a page that has just been rendered: without what it says to the cache. */
function fresh(page: Response): Response {
  const response = mutable(page);
  const optsOut = response.headers.get("x-isr-revalidate") === "0";
  response.headers.delete("x-isr-revalidate");
  response.headers.delete("cache-tag");
  response.headers.set("x-isr-status", optsOut ? "SKIP" : "MISS");
  // A browser that asks each time sees an invalidation.
  if (!optsOut && !/private|no-store|no-cache/i.test(response.headers.get("cache-control") ?? "")) {
    response.headers.set("cache-control", "public, max-age=0, must-revalidate");
  }
  return response;
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
 * cookies. That takes `ctx.exports`, which a Worker has from the compatibility date 2025-11-17 on.
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
  const found = await service.lookup(new Request(url, { method, headers })).catch((error: unknown) => {
    // Availability wins: the site can answer without the cache.
    console.error("cloudflare-isr: no answer of the cache:", error);
    return { status: "PASS", reason: null, response: undefined } as const;
  });
  if (found.status === "PASS") return render();
  if (found.status === "SKIP" || found.status === "BYPASS") return uncached(render, found.status);
  if (found.response !== undefined) return found.response;

  const page = await renderPage(found.request).catch((error: unknown) => {
    console.error("cloudflare-isr: a page could not be rendered:", error);
    return new Response(null, { status: 500 });
  });
  // The visitor gets the page as it comes; the cache reads the other half of it behind the response.
  const stored = service.store(found.ticket, page.clone());
  // That it was not stored is no concern of the visitor's, who has it already.
  ctx.waitUntil(stored.catch((error: unknown) => console.error("cloudflare-isr: a page was not stored:", error)));
  return fresh(page);
}
