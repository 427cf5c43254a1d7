/**
 * SolidStart: pages say by `getRequestEvent()?.locals.isr` how they are cached, and a cache in front of the site, or one that is
 * bound to it, does as they say.
 *
 * @module
 */
import { getRequestEvent } from "solid-js/web";

import { createScope, type Scope } from "./scope.js";
import { serve, type IsrContext } from "./serve.js";

declare global {
  namespace App {
    interface RequestEventLocals {
      /** Says how the page is cached that is being rendered: `defaults` in layouts, `set` in pages and server functions. */
      isr: Scope;
    }
  }
}

/** How {@link worker} works. */
export interface WorkerOptions {
  /** The service binding to the cache's entrypoint, for a site that has no gateway in front. Default: `"ISR"`. */
  binding?: string;
}

/** What is looked at of SolidStart's handler, which is an H3 app. */
export interface SolidStartHandler {
  request(request: Request, init: undefined, context: { isr: Scope }): Response | Promise<Response>;
}

/** What is looked at of an H3 event. */
export interface SolidStartEvent {
  readonly req: { readonly method: string; readonly url: string };
  readonly context: object;
}

/**
 * Makes the Worker of a site: `export default worker(createHandler(..))` in `src/entry-server.tsx`. The site's middleware has to
 * contain {@link isr}.
 */
export function worker(handler: SolidStartHandler, options: WorkerOptions = {}) {
  return {
    fetch(request: Request, env?: unknown, ctx?: IsrContext): Promise<Response> {
      const scope = createScope();
      const answer = (asked: Request) => handler.request(asked, undefined, { isr: scope });
      const render = isRenderOfFunction(request) ? async () => honest(await answer(asClient(request)), scope) : () => answer(request);
      return serve({ request, env, ctx, binding: options.binding, scope, render });
    },
  };
}

/** Makes the middleware, for `createMiddleware([isr()])`. Put it first. It needs {@link worker}. */
export function isr() {
  return (event: SolidStartEvent, next: () => unknown): unknown => {
    const { isr: scope } = event.context as { isr?: Scope };
    if (scope === undefined) throw new Error("cloudflare-isr: src/entry-server.tsx has to export default worker(createHandler(..))");
    // All of them have one path, and some answer each visitor with something else: only those that say so are cached.
    if (callsFunction(event.req)) scope.defaults({ revalidate: 0 });
    Object.assign(getRequestEvent()?.locals ?? {}, { isr: scope });
    return next();
  };
}

/**
 * Tells whether it is the cache that calls a server function. A visitor who calls himself as the cache does gets an answer in the
 * form that SolidStart's client would get, and no more.
 */
function isRenderOfFunction(request: Request): boolean {
  return callsFunction(request) && (request.headers.get("user-agent")?.startsWith("cloudflare-isr/") ?? false);
}

/**
 * Returns the cache's request for a server function as SolidStart's client would send it. The client marks its calls by a header, and
 * they are answered with what the function returns; others are redirected to a page. No header of a visitor is in a render, and so
 * not this one.
 */
function asClient(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.set("x-server-instance", "server-fn:isr");
  return new Request(request, { headers });
}

/** Has the cache not take for a page what a server function has thrown: SolidStart answers that with 200. */
function honest(response: Response, scope: Scope): Response {
  if (!response.headers.has("x-error") || response.status >= 400) return response;
  if (!response.headers.has("location")) return new Response(response.body, { status: 500, headers: response.headers });
  // A redirect is no failure, but each visitor's own.
  scope.set({ revalidate: 0 });
  return response;
}

/** Tells whether a request calls a server function by GET. */
function callsFunction({ method, url }: { readonly method: string; readonly url: string }): boolean {
  return method === "GET" && new URL(url).pathname.endsWith("/_server");
}
