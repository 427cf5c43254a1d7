/**
 * SolidStart: pages set their caching values through `getRequestEvent()?.locals.isr`. A cache in front of the site, or one that is bound
 * to it, applies them.
 *
 * @module
 */
import { getRequestEvent } from "solid-js/web";

import { createPagePolicy, type PagePolicy } from "./page_policy.js";
import { serve, type IsrContext } from "./serve.js";

declare global {
  namespace App {
    interface RequestEventLocals {
      /** The policy of the page that is being rendered: use `defaults` in layouts, and `set` in pages and server functions. */
      isr: PagePolicy;
    }
  }
}

/** Settings of {@link worker}. */
export interface WorkerOptions {
  /** The service binding to the cache's entrypoint, for a site that has no gateway in front. Default: `"ISR"`. */
  binding?: string;
}

/** The part of SolidStart's handler, an H3 app, that the Worker uses. */
export interface SolidStartHandler {
  request(request: Request, init: undefined, context: { isr: PagePolicy }): Response | Promise<Response>;
}

/** The part of an H3 event that the middleware uses. */
export interface SolidStartEvent {
  readonly req: { readonly method: string; readonly url: string };
  readonly context: object;
}

/**
 * Creates the Worker of a site: `export default worker(createHandler(..))` in `src/entry-server.tsx`. The site's middleware must
 * contain {@link isr}.
 */
export function worker(handler: SolidStartHandler, options: WorkerOptions = {}) {
  return {
    fetch(request: Request, env?: unknown, ctx?: IsrContext): Promise<Response> {
      const policy = createPagePolicy();
      const answer = (asked: Request) => handler.request(asked, undefined, { isr: policy });
      const render = isRenderOfFunction(request) ? async () => honest(await answer(asClient(request)), policy) : () => answer(request);
      return serve({ request, env, ctx, binding: options.binding, policy, render });
    },
  };
}

/** Creates the middleware, for `createMiddleware([isr()])`. Put it first. It needs {@link worker}. */
export function isr() {
  return (event: SolidStartEvent, next: () => unknown): unknown => {
    const { isr: policy } = event.context as { isr?: PagePolicy };
    if (policy === undefined) throw new Error("cloudflare-isr: src/entry-server.tsx has to export default worker(createHandler(..))");
    // All server functions share one path, and some return personal data: only those that set a value are cached.
    if (callsFunction(event.req)) policy.defaults({ revalidate: 0 });
    Object.assign(getRequestEvent()?.locals ?? {}, { isr: policy });
    return next();
  };
}

/**
 * Returns whether the cache calls a server function. A visitor that imitates the cache receives an answer in the form that SolidStart's
 * client would receive, and nothing more.
 */
function isRenderOfFunction(request: Request): boolean {
  return callsFunction(request) && (request.headers.get("user-agent")?.startsWith("cloudflare-isr/") ?? false);
}

/**
 * Returns the cache's request for a server function in the form of SolidStart's client. The client marks its calls with a header, and
 * SolidStart answers them with the result of the function; it redirects other calls to a page. A render contains no header of a visitor,
 * so this header must be added.
 */
function asClient(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.set("x-server-instance", "server-fn:isr");
  return new Request(request, { headers });
}

/** Changes the status if a server function has thrown: SolidStart answers with a 200, and the cache would store it as a page. */
function honest(response: Response, policy: PagePolicy): Response {
  if (!response.headers.has("x-error") || response.status >= 400) return response;
  if (!response.headers.has("location")) return new Response(response.body, { status: 500, headers: response.headers });
  // A redirect is not a failure, but it belongs to one visitor.
  policy.set({ revalidate: 0 });
  return response;
}

/** Returns whether a request calls a server function with GET. */
function callsFunction({ method, url }: { readonly method: string; readonly url: string }): boolean {
  return method === "GET" && new URL(url).pathname.endsWith("/_server");
}
