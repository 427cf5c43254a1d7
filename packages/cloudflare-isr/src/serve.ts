import type { IsrService } from "./rpc.js";
import { applyScope, type Scope } from "./scope.js";

/** What an adapter needs of the execution context. */
export interface IsrContext {
  readonly props?: unknown;
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

/** Returns a response whose headers can be changed. */
function mutable(response: Response): Response {
  return new Response(response.body, response);
}

/** Answers a visitor with a draft token: nobody may keep what he sees. */
async function draft(render: Served["render"]): Promise<Response> {
  const response = mutable(await render());
  response.headers.set("cache-control", "private, no-store");
  return response;
}

/**
 * Answers a request of a site: from the cache if its entrypoint is bound and no gateway stands in front, else by the framework, with
 * what the pages have said in the response's headers, where a gateway in front reads it.
 */
export async function serve({ request, env, ctx, binding = "ISR", scope, render }: Served): Promise<Response> {
  const service = serviceOf(env, binding);
  if (service === undefined || ctx === undefined || isOwnRender(ctx)) {
    const response = await render();
    if (scope.resolve() === null) return response;
    const copy = mutable(response);
    applyScope(copy.headers, scope);
    return copy;
  }
  // The framework's answer to a HEAD has no body to be stored.
  if (request.method !== "GET") return render();

  const { url, headers } = request;
  const found = await service.lookup(new Request(url, { headers })).catch((error: unknown) => {
    // Availability wins: the site can answer without the cache.
    console.error("cloudflare-isr: no answer of the cache:", error);
    return { status: "PASS" } as const;
  });
  if (found.status === "PASS" || found.status === "SKIP") return render();
  if (found.status === "BYPASS") return draft(render);
  if (found.response !== undefined) return found.response;

  const { ticket } = found;
  let response: Response;
  try {
    response = await render();
  } catch (error) {
    ctx.waitUntil(store(service, ticket, new Response(null, { status: 500 }), scope));
    throw error;
  }
  // The visitor gets the page as it comes; the cache reads the other half of it behind the response.
  ctx.waitUntil(store(service, ticket, response.clone(), scope));
  return response;
}

/** Stores a page. That it could not be is no concern of the visitor's, who has it already. */
async function store(service: IsrService, ticket: string, response: Response, scope: Scope): Promise<void> {
  try {
    await service.store(ticket, response, scope.resolve() ?? undefined);
  } catch (error) {
    console.error("cloudflare-isr: a page was not stored:", error);
  }
}
